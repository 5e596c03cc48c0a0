-- The last known location of every participant.
-- KEYS 1 sos:location
-- Returns { { f:<user key>, the fix as in lib/location.lua, … } }
return { redis.call('HSCAN', KEYS[1], 0, 'MATCH', 'f:*', 'COUNT', 1000000)[2] }
