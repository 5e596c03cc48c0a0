-- The members of a room whose presence is announced, for a reader that will apply what is announced from now on.
-- KEYS 1 scope:meta   2 scope:members
-- Returns { newest logged id, members as field, value, … }
-- Safe to repeat by itself. A member that gets it must hear of all that was not announced when it was taken: ps, lib/presence.lua.
local notes = redis.call('HMGET', KEYS[1], 'ph', 'pt', 'last')
if notes[2] and notes[1] ~= notes[2] then redis.call('HSET', KEYS[1], 'ps', notes[2]) end
return { notes[3] or '0-0', redis.call('HGETALL', KEYS[2]) }
