-- An entry is delivered, or refused for good.
-- KEYS 1 scope:meta   2 sos:outbox   3 sos:state   4 sos:outbox:dead
-- ARGV 1 owner   2 id   3 why it is dead ('' delivered)
-- Returns { entries left } or { -1 } if the lease is another's
if lease_of(KEYS[1], 'ob') ~= ARGV[1] then return { -1 } end
if ARGV[3] ~= '' then
  local entry = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
  if entry then
    local fields = entry[2]
    fields[#fields + 1] = 'why'
    fields[#fields + 1] = ARGV[3]
    redis.call('XADD', KEYS[4], 'MAXLEN', '~', 1000, '*', 'id', ARGV[2], unpack(fields))
    redis.call('PEXPIRE', KEYS[4], 2592000000)
  end
end
redis.call('XDEL', KEYS[2], ARGV[2])
local left = redis.call('XLEN', KEYS[2])
if left == 0 then
  redis.call('HDEL', KEYS[1], 'ob')
  -- While the SOS is alive its outbox stays, empty: see design, "Redis scripts".
  local status = redis.call('HGET', KEYS[3], 'status')
  if not status or FINAL[status] then
    redis.call('DEL', KEYS[2])
  end
end
return { left }
