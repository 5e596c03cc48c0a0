-- Removes a session.
-- KEYS 1 realtime:session
-- ARGV 1 only if this field ('' in any case)   2 holds this
-- Returns { gone }: 1 also if it was not there; 0 if it holds something else
if ARGV[1] ~= '' and call('EXISTS', SESSION) == 1 and call('HGET', SESSION, ARGV[1]) ~= ARGV[2] then return { 0 } end
call('DEL', SESSION)
return { 1 }
