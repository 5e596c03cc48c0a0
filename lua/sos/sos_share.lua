-- State and members in one read, for sockets that join a large room together. As with the snapshot of a join, a member
-- that gets it must hear of all that was not announced when it was taken (ps, lib/presence.lua).
-- KEYS 1 scope:meta   2 sos:state   3 scope:members
-- Returns {} without state, else { time, state, members, newest logged id }, each of the two as field, value, …
-- Safe to repeat by itself.
local call = redis.call
if call('EXISTS', KEYS[2]) == 0 then return {} end
local notes = call('HMGET', KEYS[1], 'ph', 'pt', 'last')
if notes[2] and notes[1] ~= notes[2] then call('HSET', KEYS[1], 'ps', notes[2]) end
local time = call('TIME')
local state, members = snapshot_of(KEYS[2], KEYS[3])
return { time[1] * 1000 + math.floor(time[2] / 1000), state, members, notes[3] or '0-0' }
