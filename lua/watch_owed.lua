-- The copies that watchers are owed.
-- KEYS 1 scope:meta
-- Returns { id, body, id, body, … }
local owed, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'w:' then
    owed[#owed + 1] = string.sub(all[i], 3)
    owed[#owed + 1] = all[i + 1]
  end
end
return owed
