-- Takes or renews a lease of a scope.
-- KEYS 1 scope:meta
-- ARGV 1 field   2 owner   3 lease (ms)   4 an owner that is dead: its lease counts no longer ('' none)
-- Returns { 1, ms } it is held for so long; { 0, ms, owner } another one holds it for so long
local now = lease_now()
local owner, stop = lease_of(KEYS[1], ARGV[1])
if owner and owner ~= ARGV[2] and owner ~= ARGV[4] and stop > now then return { 0, stop - now, owner } end
lease_put(KEYS[1], ARGV[1], ARGV[2], now, ARGV[3])
return { 1, tonumber(ARGV[3]) }
