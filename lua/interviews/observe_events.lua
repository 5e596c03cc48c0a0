-- What those who observe were told, from interview:log, oldest first. Changes nothing.
-- KEYS all of lib/session
-- ARGV 1 after this id   2 up to this id   3 bytes of payloads after which the answer ends
-- Returns { there are more, id, event, payload, time, id, … }
local CHUNK = 64 -- entries that are read at once
local result, after, bytes, most = { 0 }, '(' .. ARGV[1], 0, tonumber(ARGV[3])
while true do
  local entries = call('XRANGE', TRAIL, after, ARGV[2], 'COUNT', CHUNK)
  for _, entry in ipairs(entries) do
    if bytes >= most then
      result[1] = 1
      return result
    end
    local f = entry[2]
    for _, value in ipairs({ entry[1], f[2], f[4], f[6] }) do result[#result + 1] = value end
    after, bytes = '(' .. entry[1], bytes + #f[4]
  end
  if #entries < CHUNK then return result end
end
