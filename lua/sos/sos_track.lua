-- A part of the track between two fix times, ascending.
-- KEYS 1 sos:state   2 sos:track
-- ARGV 1 user key ('' all)   2 from   3 to (or +inf)   4 go on after this member ('' from the first)   5 points
--      6 bytes of them after which the answer ends
-- Returns { 0 } without state, else { 1, member to go on after or '' at the end, fix time, point, … }, each point raw JSON.
-- It looks at 512 members at most, so the answer may hold fewer points, or none, and yet say to go on.
if redis.call('EXISTS', KEYS[1]) == 0 then return { 0 } end
local STEP, STEPS = 64, 8
local result, head, to, bytes = { 1, '' }, ARGV[1] .. ' ', tonumber(ARGV[3]) or math.huge, 0
local points, most = tonumber(ARGV[5]), tonumber(ARGV[6])
local rank = ARGV[4] ~= '' and redis.call('ZRANK', KEYS[2], ARGV[4])
if rank then
  rank = rank + 1
else -- the first part, or the member is gone, which its score does not tell: what follows on its time, then
  local gone = string.match(ARGV[4], '^%S+ %S+ (%S+) ')
  rank = redis.call('ZCOUNT', KEYS[2], '-inf', gone or '(' .. ARGV[2])
end
for _ = 1, STEPS do
  local page = redis.call('ZRANGE', KEYS[2], rank, rank + STEP - 1)
  for _, member in ipairs(page) do
    local fix, arrival, fields = string.match(member, '^%S+ %S+ (%S+) (%S+)\n(.*)$')
    if fix and tonumber(fix) > to then
      result[2] = ''
      return result
    end
    if fix and (ARGV[1] == '' or string.sub(member, 1, #head) == head) then
      if #result >= 2 + 2 * points or bytes >= most then return result end
      local point = '{' .. fields .. ',"fixTime":' .. fix .. ',"timestamp":' .. arrival .. '}'
      result[#result + 1] = fix
      result[#result + 1] = point
      bytes = bytes + #point
    end
    result[2] = member
  end
  if #page < STEP then
    result[2] = ''
    return result
  end
  rank = rank + STEP
end
return result
