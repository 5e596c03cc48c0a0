-- Fixes from a time offline, a part of a batch: all to the track; the newest is the last known one if it is newer than that.
-- Also after the end, while the state lasts: then nothing is sent.
-- KEYS 1 scope:meta   2 sos:state   3 sos:location   4 sos:track   5 sos:outbox   6 sos:events
-- ARGV 1–13 as in lib/sos.lua   14 window (ms)   15 source of a fix without a device   16 most sources that are remembered
--      17 which part of the batch ('' the only one): each part's clientMessageId is its own   18 the last known fix may be
--      among these ('1' or '')   19… six per fix, as in lib/location.lua
-- Returns { 'ok', …, ms to the end of the window or 0, accepted, duplicates } or a refusal
STATE, LOCATION, TRACK, OUTBOX, EVENTS = unpack(KEYS, 2)
NAME = NAME .. ARGV[17]
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY)
if not state[1] then return { 'missing' } end
local role = rights(ROLE, NAMED, state[2])
if role ~= 'citizen' and role ~= 'rescuer' then return refuse('forbidden', 'location:batch') end
local final = FINAL[state[1]]

local head = '"userId":' .. cjson.encode(USER) .. ',"role":"' .. role .. '",'
local u = load_user(KEY)
local most = tonumber(ARGV[16])
local last_fix, last_arrival, last_source = string.match(u.f or '', '^(%d+) (%d+) %S+ (%S+)\n')

-- Newer than the last known one: by the clock of the source if it is the same; a fix of another one must be from after the
-- arrival of what is known, since what belongs to the past does not replace it.
local function is_newer(s, fix)
  if not last_fix then return true end
  if last_source == s.name then return fix > (s.last > 0 and s.last or tonumber(last_fix)) end
  return fix > s.last and fix > tonumber(last_arrival)
end

local accepted, duplicates, newest, address, touched = 0, 0, nil, nil, {}
for i = 19, #ARGV, 6 do
  local source, fix, usable = ARGV[i + 3] == '' and ARGV[15] or ARGV[i + 3], fix_time(ARGV[i + 4])
  local s = source_of(u, source, most)
  if track(u, head .. ARGV[i], source, fix, fix > s.highest and s.highest > 0) then
    accepted = accepted + 1
  else
    duplicates = duplicates + 1
  end
  s.highest = math.max(s.highest, fix)
  if usable then s.latest = math.max(s.latest or 0, math.min(fix, now)) end
  touched[s] = true
  -- Of two sources the one that came later counts.
  if ARGV[18] == '1' and is_newer(s, fix) and (not newest or newest.source ~= source or fix >= newest.fix) then
    newest = { at = i, source = source, fix = fix }
    if ARGV[i + 5] ~= '' then address = ARGV[i + 5] end
  end
end
for s in pairs(touched) do s.last = math.max(s.last, s.latest or 0) end
trim_track()
if address and not final then call('HSET', STATE, 'address', address, 'updatedAt', now) end

local wait = 0
if newest then
  local i = newest.at
  if final then SOURCE = 'internal' end
  set_last(u, USER, role, head .. ARGV[i], ARGV[i + 1], ARGV[i + 2], newest.source, newest.fix)
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
