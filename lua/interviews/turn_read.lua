-- The final turns of the open question, in order. Changes nothing.
-- KEYS all of lib/session
-- ARGV 1 after this one (0: from the first)   2 bytes after which the answer ends
-- Returns { number of the last that is told, there are more, turn, … }
local CHUNK = 32 -- turns that are read at once
local f = call('HMGET', SESSION, 'tf', 'tn', 'tx')
local at, stop = math.max(tonumber(ARGV[1]), tonumber(f[1] or 1) - 1), tonumber(f[3] or f[2] or 0)
if f[3] then stop = stop - 1 end
local result, bytes, most = { at, 0 }, 0, tonumber(ARGV[2])
while at < stop do
  local names = {}
  for n = at + 1, math.min(at + CHUNK, stop) do names[#names + 1] = 't:' .. n end
  for _, turn in ipairs(call('HMGET', SESSION, unpack(names))) do
    if bytes >= most then
      result[2] = 1
      return result
    end
    at = at + 1
    result[1] = at
    if turn then
      result[#result + 1] = turn
      bytes = bytes + #turn
    end
  end
end
return result
