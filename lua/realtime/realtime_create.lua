-- Makes a session whose room nobody has joined.
-- KEYS 1 realtime:session
-- ARGV 1 user id   2 room   3 when its token expires (s)   4 how long it is kept after its last change (ms)
-- Returns { created (ms) }
-- Safe to repeat by itself: the first one counts.
local created = call('HGET', SESSION, 'created')
if created then return { created } end
created = now_ms()
change(ARGV[4], 'user', ARGV[1], 'room', ARGV[2], 'exp', ARGV[3], 'status', 'created', 'created', created)
return { created }
