-- Tells which timers of a scope are due; changes nothing.
-- KEYS 1 scope:due
-- ARGV 1 most that are told
-- Returns { ms until the earliest that is not told or -1, timer and subject, ms that it is late, … }, the longest overdue
-- first
clock()
local most, result = tonumber(ARGV[1]), { -1 }
local rows = call('ZRANGE', KEYS[1], 0, most, 'WITHSCORES')
for i = 1, #rows, 2 do
  if rows[i] == '' then break end
  local late = now - tonumber(rows[i + 1])
  if late < 0 or #result > 2 * most then
    result[1] = math.max(-late, 0)
    break
  end
  result[#result + 1] = rows[i]
  result[#result + 1] = late
end
return result
