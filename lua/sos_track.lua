-- The track between two fix times, ascending. Fixes of one millisecond are not split between pages.
-- KEYS 1 sos:state   2 sos:track
-- ARGV 1 user key ('' all)   2 from   3 to (or +inf)   4 limit
-- Returns { 0 } without state, else { 1, next from or -1, point, … }, each raw JSON
if redis.call('EXISTS', KEYS[1]) == 0 then return { 0 } end
local result, limit, offset, final = { 1, -1 }, tonumber(ARGV[4]), 0, nil
local head = ARGV[1] .. ' '
repeat
  local page = redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[2], ARGV[3], 'LIMIT', offset, 1000)
  for _, member in ipairs(page) do
    if ARGV[1] == '' or string.sub(member, 1, #head) == head then
      local fix, arrival, fields = string.match(member, '^%S+ %S+ (%S+) (%S+)\n(.*)$')
      if fix then
        if #result - 2 >= limit and fix ~= final then
          result[2] = tonumber(fix)
          return result
        end
        final = fix
        result[#result + 1] = '{' .. fields .. ',"fixTime":' .. fix .. ',"timestamp":' .. arrival .. '}'
      end
    end
  end
  offset = offset + 1000
until #page < 1000
return result
