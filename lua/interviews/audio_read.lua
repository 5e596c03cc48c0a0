-- Audio after an entry, and what else has changed, for the node that hands it to the speech service. Changes nothing.
-- KEYS all of lib/session
-- ARGV 1 after this entry   2 up to this entry ('+' the newest)   3 bytes of audio after which the answer ends
-- Returns { 'ok', …, there are more, session, id, position, audio, id, … }
clock()
local CHUNK = 16 -- entries that are read at once
local result = with_session({ 'ok', -1, 0, now, 0, 0 })
local after, bytes, most = '(' .. ARGV[1], 0, tonumber(ARGV[3])
while true do
  local entries = call('XRANGE', AUDIO, after, ARGV[2], 'COUNT', CHUNK)
  for _, entry in ipairs(entries) do
    if bytes >= most then
      result[6] = 1
      return result
    end
    local f = entry[2]
    result[#result + 1] = entry[1]
    result[#result + 1] = f[2]
    result[#result + 1] = f[4]
    after, bytes = '(' .. entry[1], bytes + #f[4]
  end
  if #entries < CHUNK then return result end
end
