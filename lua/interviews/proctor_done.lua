-- Rows of proctoring are stored: those that have not changed since need not be kept.
-- KEYS all of lib/session
-- ARGV number, count, number, count, …
-- Returns { there are more }
-- Safe to repeat by itself.
for i = 1, #ARGV, 2 do
  local count = string.match(call('HGET', SESSION, 'pe:' .. ARGV[i]) or '', '^%S+ %d+ %d+ (%d+)\n')
  if count == ARGV[i + 1] then call('HDEL', SESSION, 'pe:' .. ARGV[i]) end
end
local f = call('HMGET', SESSION, 'ph', 'pt')
local head, tail = tonumber(f[1] or 1), tonumber(f[2] or 0)
local names = {}
for n = head, math.min(head + 127, tail) do names[#names + 1] = 'pe:' .. n end
if #names == 0 then return { 0 } end
for _, row in ipairs(call('HMGET', SESSION, unpack(names))) do
  if row then break end
  head = head + 1
end
call('HSET', SESSION, 'ph', head)
return { head <= tail and 1 or 0 }
