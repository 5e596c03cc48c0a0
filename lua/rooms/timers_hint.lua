-- Says that a scope has a timer, or is about to get one. An entry for an earlier moment stays as it is, but for its marks.
-- KEYS 1 timers:{n}
-- ARGV 1 kind:id   2 ms until it is due
-- Returns { ms until the next look there }
-- Safe to repeat by itself.
local due, known = now + ARGV[2], call('ZSCORE', KEYS[1], ARGV[1])
known = known and tonumber(known)
if not known or due < known then
  call('ZADD', KEYS[1], text(due), ARGV[1])
  return { due - now }
end
if known % 1 > 0 then call('ZADD', KEYS[1], text(math.floor(known)), ARGV[1]) end
return { math.max(math.floor(known) - now, 0) }
