-- A socket joins an SOS: rights, membership, announcement, snapshot.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 node   15 session epoch   16 from CONNECT: a member also without state ('1' or '')
--      17 recovered: not announced again ('1' or '')
-- Returns { 'joined', …, first, position, epoch, role, 1, snapshot } or, without state, { …, role, 0 };
--         { 'ended', …, snapshot }; { 'missing' }; { 'forbidden' }
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
if FINAL[status] then return with_snapshot(answer('ended')) end

-- What is logged from here on is for the new member, its own announcement included.
ensure()
local position = last
listen(ARGV[14])
local first, shown = member_put(SID, KEY, USER, role, ARGV[14], ARGV[15])
ROLE = role
if state[3] and (state[4] or '') == '' and role == 'citizen' and NAMED then call('HSET', STATE, 'citizen', USER) end
local announce = first and ARGV[17] ~= '1'
if announce then
  local data = '{"userId":' .. json(USER) .. ',"role":"' .. role .. '","sosId":"' .. SOS ..
    '","action":"user_joined","timestamp":' .. now .. '}'
  broadcast('sos:init', data)
  if status then
    audit('join')
    outbox('sos:init', USER, data)
  end
end
if announce or not shown then
  if status then presence_update() else
    local source = SOURCE
    SOURCE = 'internal' -- the SOS service is told once there is an SOS
    presence_update()
    SOURCE = source
  end
end
keep_all()
commit()
local result = answer('joined', first and 1 or 0, position, epoch, role, status and 1 or 0)
if status then return with_snapshot(result) end
return result
