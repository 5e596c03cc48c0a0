-- Fixes from a time offline: all to the track; the newest is the last known one if it is newer than that. Also after the
-- end, while the state lasts: then nothing is sent.
-- KEYS 1 scope:meta   2 sos:state   3 sos:location   4 sos:track   5 sos:outbox   6 sos:events
-- ARGV 1–13 as in lib/sos.lua   14 window (ms)   15… six per fix, as in lib/location.lua
-- Returns { 'ok', …, ms to the end of the window or 0, accepted, duplicates } or a refusal
STATE, LOCATION, TRACK, OUTBOX, EVENTS = unpack(KEYS, 2)
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY)
if not state[1] then return { 'missing' } end
local role = rights(ROLE, NAMED, state[2])
if role ~= 'citizen' and role ~= 'rescuer' then return refuse('forbidden', 'location:batch') end
local final = FINAL[state[1]]

local head = '"userId":' .. cjson.encode(USER) .. ',"role":"' .. role .. '",'
local u = load_user(KEY)
local last_fix = u.f and tonumber(string.match(u.f, '^(%d+)')) or -1
local accepted, duplicates, newest, newest_fix, address = 0, 0, nil, last_fix, nil
for i = 15, #ARGV, 6 do
  local device, fix = ARGV[i + 3] == '' and '-' or ARGV[i + 3], fix_time(ARGV[i + 4])
  device_latest(u, device, fix)
  if track(u, head .. ARGV[i], device, fix) then accepted = accepted + 1 else duplicates = duplicates + 1 end
  if fix > newest_fix then
    newest, newest_fix = i, fix
    if ARGV[i + 5] ~= '' then address = ARGV[i + 5] end
  end
end
trim_track()
if address and not final then call('HSET', STATE, 'address', address, 'updatedAt', now) end

local wait = 0
if newest then
  local device = ARGV[newest + 3] == '' and '-' or ARGV[newest + 3]
  if final then SOURCE = 'internal' end
  set_last(u, USER, role, head .. ARGV[newest], ARGV[newest + 1], ARGV[newest + 2], device, newest_fix)
  if final then
    u.pending = '0'
  elseif now >= u.stop then
    send_location(u, tonumber(ARGV[14]))
  else
    u.pending = '1'
    wait = u.stop - now
  end
end
save_user(u)
return done(answer('ok', wait, accepted, duplicates))
