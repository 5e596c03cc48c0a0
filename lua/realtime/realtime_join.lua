-- LiveKit tells that somebody has joined the session's room.
-- KEYS 1 realtime:session
-- ARGV 1 the event's id ('' none)   2 sid of the room   3 when it happened (s; 0 unknown)   4 how long the session is kept (ms)
-- Returns { 'joined' }; { 'known' } it was told before, or a later join was; { 'gone' } there is no session
local last = call('HMGET', SESSION, 'rev', 'events', 'told')
if not last[1] then return { 'gone' } end
local events = last[2] or ''
if ARGV[1] ~= '' and string.find(' ' .. events, ' ' .. ARGV[1] .. ' ', 1, true) then return { 'known' } end
local at, told = tonumber(ARGV[3]), tonumber(last[3] or 0)
if at > 0 and at < told then return { 'known' } end
-- The newest of them are remembered. An older one is known by its time.
if ARGV[1] ~= '' then events = string.sub(ARGV[1] .. ' ' .. events, 1, 1024) end
change(ARGV[4], 'status', 'connected', 'joined', now_ms(), 'sid', ARGV[2], 'told', math.max(at, told), 'events', events)
return { 'joined' }
