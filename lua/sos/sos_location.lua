-- One fix: stored at once, broadcast at most once per user in a window.
-- KEYS 1 scope:meta   2 sos:state   3 sos:location   4 sos:track   5 sos:outbox   6 sos:events
-- ARGV 1–13 as in lib/sos.lua   14 window (ms)   15 source of a fix without a device   16 most sources that are remembered
--      17–22 the fix, as in lib/location.lua
-- Returns { 'ok' sent, 'coalesced' waits for its window's end, 'old' kept in the track only, …, ms to that end } or a refusal
STATE, LOCATION, TRACK, OUTBOX, EVENTS = unpack(KEYS, 2)
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY)
if not state[1] then return { 'missing' } end
local role = rights(ROLE, NAMED, state[2])
if role ~= 'citizen' and role ~= 'rescuer' then return refuse('forbidden', 'location:update') end
if FINAL[state[1]] then return { 'closed' } end

local fields = '"userId":' .. cjson.encode(USER) .. ',"role":"' .. role .. '",' .. ARGV[17]
local source, fix, usable = ARGV[20] == '' and ARGV[15] or ARGV[20], fix_time(ARGV[21])
local u = load_user(KEY)
local s = source_of(u, source, tonumber(ARGV[16]))
if track(u, fields, source, fix, fix > s.highest and s.highest > 0) and now % 16 == 0 then trim_track() end -- often enough
s.highest = math.max(s.highest, fix)
if ARGV[22] ~= '' then call('HSET', STATE, 'address', ARGV[22], 'updatedAt', now) end

local outcome, wait = 'old', 0
if not (usable and fix < s.last and fix >= s.last - OLD_MS) then
  if usable then s.last = math.min(fix, now) end
  set_last(u, USER, role, fields, ARGV[18], ARGV[19], source, fix)
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
