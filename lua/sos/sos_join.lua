-- A socket joins an SOS: rights, membership, announcement, snapshot.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 node   15 session epoch   16 from CONNECT: a member also without state ('1' or '')
--      17 recovered: not announced again ('1' or '')   18 presence window (ms)
--      19 a snapshot is wanted, if it is not large ('1' or ''): who joins a large room takes one by sos_share
--      20 most sockets of one user
-- Returns { 'joined', …, first, position, epoch, role, ms to the end of the presence window or -1, a state (0 none, 1,
--         2 provisional), a snapshot follows, time, state, members, locations }; { 'ended', … }; { 'crowded', … }; { 'missing' }; { 'forbidden' }
-- Safe to repeat by itself: a member that joins again announces nothing.
all_keys()
open('', 7)
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY, 'prov', 'citizen')
local status, role = state[1], rights(ROLE, NAMED, state[2])
if not role then
  if status then return refuse('forbidden', 'sos:init') end
  return { 'forbidden' }
end
if not status and ARGV[16] ~= '1' then return { 'missing' } end
if FINAL[status] then return answer('ended') end
if is_crowded(SID, KEY, ARGV[20]) then return answer('crowded') end

-- What is logged from here on is for the new member, its own announcement included.
ensure()
put('pn', 1)
local position = last
listen(ARGV[14])
local tail = tonumber(call('HGET', META, 'pt') or 0)
local first = member_put(SID, KEY, USER, role, ARGV[14], ARGV[15])
ROLE = role
if state[3] and (state[4] or '') == '' and role == 'citizen' and NAMED then call('HSET', STATE, 'citizen', USER) end
local announced = first and ARGV[17] ~= '1'
if announced then
  local data = '{"userId":' .. json(USER) .. ',"role":"' .. role .. '","sosId":"' .. SOS ..
    '","action":"user_joined","timestamp":' .. now .. '}'
  if not is_large() then broadcast('sos:init', data) end
  if status then
    audit('join')
    outbox('sos:init', USER, data)
  end
end
local window = presence(ARGV[18], announced and is_noted(KEY) or differs(KEY))
local snapshot = status and ARGV[19] == '1' and not is_large() and call('HLEN', MEMBERS) < 300 and call('HLEN', LOCATION) < 300
if snapshot then snapshot_taken(tail) end
keep_all()
commit()
local has_state = not status and 0 or state[3] and 2 or 1
local result = answer('joined', first and 1 or 0, position, epoch, role, window, has_state, snapshot and 1 or 0)
if snapshot then
  for _, part in ipairs({ now, snapshot_of(STATE, MEMBERS) }) do result[#result + 1] = part end
  result[#result + 1] = matching(LOCATION, 'f:*')
end
return result
