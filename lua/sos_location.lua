-- One fix: stored at once, broadcast at most once per user in a window.
-- KEYS 1 scope:meta   2 sos:state   3 sos:location   4 sos:track   5 sos:outbox   6 sos:events
-- ARGV 1–13 as in lib/sos.lua   14 window (ms)   15–20 the fix, as in lib/location.lua
-- Returns { 'ok' sent, 'coalesced' waits for its window's end, 'old' kept in the track only, …, ms to that end } or a refusal
STATE, LOCATION, TRACK, OUTBOX, EVENTS = unpack(KEYS, 2)
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY)
if not state[1] then return { 'missing' } end
local role = rights(ROLE, NAMED, state[2])
if role ~= 'citizen' and role ~= 'rescuer' then return refuse('forbidden', 'location:update') end
if FINAL[state[1]] then return { 'closed' } end

local fields = '"userId":' .. cjson.encode(USER) .. ',"role":"' .. role .. '",' .. ARGV[15]
local device, fix = ARGV[18] == '' and '-' or ARGV[18], fix_time(ARGV[19])
local u = load_user(KEY)
local latest = device_latest(u, device, fix)
if track(u, fields, device, fix, latest and fix > latest) and now % 16 == 0 then trim_track() end -- often enough
if ARGV[20] ~= '' then call('HSET', STATE, 'address', ARGV[20], 'updatedAt', now) end

local outcome, wait = 'old', 0
if not latest or fix >= latest then
  set_last(u, USER, role, fields, ARGV[16], ARGV[17], device, fix)
  if now >= u.stop then
    send_location(u, tonumber(ARGV[14]))
    outcome = 'ok'
  else
    u.pending = '1'
    outcome, wait = 'coalesced', u.stop - now
  end
end
save_user(u)
return done(answer(outcome, wait))
