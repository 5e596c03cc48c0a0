-- A poll has seen somebody in the session's room.
-- KEYS 1 realtime:session
-- ARGV 1 rev, as read before LiveKit was asked   2 how long the session is kept (ms)
-- Returns { changed }
if call('HGET', SESSION, 'rev') ~= ARGV[1] then return { 0 } end
change(ARGV[2], 'status', 'connected', 'joined', now_ms())
return { 1 }
