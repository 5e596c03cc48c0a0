-- The last known location of every participant.
-- KEYS 1 sos:location
-- ARGV 1 sosId
-- Returns { { user key, payload of location:broadcast, … } }
local list, all = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local key = string.match(all[i], '^f:(.*)$')
  if key then
    local fix, arrival, fields = string.match(all[i + 1], '^(%S+) (%S+) [^\n]*\n(.*)$')
    list[#list + 1] = key
    list[#list + 1] = '{"sosId":"' .. ARGV[1] .. '",' .. fields .. ',"fixTime":' .. fix .. ',"timestamp":' .. arrival .. '}'
  end
end
return { list }
