-- State and members in one read.
-- KEYS 1 sos:state   2 scope:members
-- Returns {} without state, else { time, state, members }, each of the two as field, value, …
if redis.call('EXISTS', KEYS[1]) == 0 then return {} end
local time = redis.call('TIME')
return { time[1] * 1000 + math.floor(time[2] / 1000), snapshot_of(KEYS[1], KEYS[2]) }
