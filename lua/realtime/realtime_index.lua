-- Adds a session to those of its user, if the user may have one more.
-- KEYS 1 realtime:user
-- ARGV 1 id   2 when it was created (ms)   3 most sessions of a user   4 how long the index is kept (ms)
-- Returns { added }
-- Safe to repeat by itself.
local call, USER = redis.call, KEYS[1]
if not call('ZSCORE', USER, ARGV[1]) and call('ZCARD', USER) >= tonumber(ARGV[3]) then return { 0 } end
call('ZADD', USER, ARGV[2], ARGV[1])
call('PEXPIRE', USER, ARGV[4])
return { 1 }
