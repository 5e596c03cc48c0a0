-- Takes or renews the lease of an outbox, and reads its oldest entries.
-- KEYS 1 scope:meta   2 sos:outbox   3 sos:state   4 sos:outbox:dead
-- ARGV 1 owner   2 lease (ms)   3 limit   4 bytes after which the answer ends early
-- Returns { 0, ms to the end of another's lease } or { 1, length, { id, event, user, data, time }, … }
-- scope:meta holds the lease in `ob` as `<until> <owner>`.
local now = lease_now()
local owner, stop = lease_of(KEYS[1], 'ob')
if owner and owner ~= ARGV[1] and stop > now then return { 0, stop - now } end
local length = redis.call('XLEN', KEYS[2])
if length == 0 then
  if owner then redis.call('HDEL', KEYS[1], 'ob') end
  return { 1, 0 }
end
lease_put(KEYS[1], 'ob', ARGV[1], now, ARGV[2])
local CHUNK = 4 -- entries that are read at once
local result, bytes, from = { 1, length }, 0, '-'
repeat
  local chunk = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', CHUNK)
  for _, entry in ipairs(chunk) do
    local f = entry[2]
    if #result - 2 == tonumber(ARGV[3]) or bytes >= tonumber(ARGV[4]) then return result end
    result[#result + 1] = { entry[1], f[2], f[4], f[6], f[8] }
    from, bytes = '(' .. entry[1], bytes + #f[6]
  end
until #chunk < CHUNK
return result
