-- Rows of proctoring that are not stored as they are now, the oldest first. Changes nothing.
-- KEYS all of lib/session
-- ARGV 1 most rows
-- Returns { number, row, number, row, … } as proctor_take keeps them
local f = call('HMGET', SESSION, 'ph', 'pt')
local head, tail = tonumber(f[1] or 1), tonumber(f[2] or 0)
local names, result = {}, {}
for n = head, math.min(head + ARGV[1] - 1, tail) do names[#names + 1] = 'pe:' .. n end
if #names == 0 then return result end
for i, row in ipairs(call('HMGET', SESSION, unpack(names))) do
  if row then
    result[#result + 1] = head + i - 1
    result[#result + 1] = row
  end
end
return result
