-- Shared: positions. sos:location holds per user key U
--   f:U → `<fix time> <arrival> <role> <source>\n<fields of the broadcast as JSON text>`, the last known fix
--   w:U → `<window's end> <pending> <outbox time> <latitude> <longitude> <unsent>`: whether f:U was not sent yet, when and
--         where the outbox last got one, whether it does not have f:U
--   s:U → `<source>:<last fix time>:<highest fix time> …` of the sources heard last, newest first; 0: none yet
--   d:U → the same without the highest, as the release before wrote it; read where there is no s:U
-- and t, the last arrival. A source is a device key, `.` and the key of a connection, or `-`, the internal API: whose clock
-- it is. A fix comes as six arguments: fields, latitude, longitude, device key, fix time, address.

local TRACK_LENGTH = 20000
local OUTBOX_MS, OUTBOX_M = 15000, 50
-- A fix up to this much older than its source's last one is old. If it is older still, the source's clock was set.
local OLD_MS = 60000

local function read_window(u, window)
  u.stop, u.pending, u.sent, u.lat, u.lon, u.unsent = 0, '0', '-', '-', '-', '0'
  if window then
    u.stop, u.pending, u.sent, u.lat, u.lon, u.unsent = string.match(window, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
    u.stop = tonumber(u.stop)
  end
end

-- A last fix time counts as its arrival at most, also one that the release before wrote.
local function read_sources(u, text, before)
  u.sources = {}
  local pattern = text and '(%S+):(%d+):(%d+)' or '(%S+):(%d+)'
  for name, last, highest in string.gmatch(text or before or '', pattern) do
    u.sources[#u.sources + 1] = { name = name, last = math.min(tonumber(last), now), highest = tonumber(highest or last) }
  end
end

local function load_user(key)
  local r = call('HMGET', LOCATION, 'f:' .. key, 'w:' .. key, 's:' .. key, 'd:' .. key)
  local u = { key = key, f = r[1] ~= '' and r[1] or nil }
  read_window(u, r[2])
  read_sources(u, r[3], r[4])
  return u
end

local function window_of(u)
  return u.stop .. ' ' .. u.pending .. ' ' .. u.sent .. ' ' .. u.lat .. ' ' .. u.lon .. ' ' .. u.unsent
end

local function save_user(u)
  local sources = {}
  for i, s in ipairs(u.sources) do sources[i] = s.name .. ':' .. s.last .. ':' .. s.highest end
  call('HSET', LOCATION, 'w:' .. u.key, window_of(u), 's:' .. u.key, table.concat(sources, ' '), 't', now,
    unpack(u.f and { 'f:' .. u.key, u.f } or {}))
end

-- The payload of a broadcast that goes out now, from f:U.
local function location_json(f)
  local fix, fields = string.match(f, '^(%S+) [^\n]*\n(.*)$')
  return '{"sosId":"' .. SOS .. '",' .. fields .. ',"fixTime":' .. fix .. ',"timestamp":' .. now .. '}'
end

local function send_location(u, throttle)
  publish_volatile('* - loc:' .. u.key .. ' -\n["location:broadcast",' .. location_json(u.f) .. ']')
  u.stop, u.pending = now + throttle, '0'
end

local function metres(lat1, lon1, lat2, lon2)
  local rad = math.pi / 180
  local east = (lon2 - lon1 + 540) % 360 - 180
  local x, y = east * rad * math.cos((lat1 + lat2) / 2 * rad), (lat2 - lat1) * rad
  return 6371000 * math.sqrt(x * x + y * y)
end

-- Fix time, and whether the source has given it. If it is missing, or more than 60 s ahead of Redis' clock, it is the arrival.
local function fix_time(text)
  local fix = tonumber(text)
  if not fix or fix > now + 60000 then return now, false end
  return fix, true
end

-- The entry of a source, which moves to the front. Beyond `most` the source that was silent longest is forgotten.
local function source_of(u, name, most)
  local list = u.sources
  for i, s in ipairs(list) do
    if s.name == name then
      if i > 1 then table.insert(list, 1, table.remove(list, i)) end
      return s
    end
  end
  local s = { name = name, last = 0, highest = 0 }
  table.insert(list, 1, s)
  for i = #list, most + 1, -1 do list[i] = nil end
  return s
end

-- Adds to the track, once per user, source and fix time; false if it is there already. With `surely` it is known to be new.
-- Members of one score are in the order of their texts, so one of the same user and source is a neighbour.
local function track(u, fields, source, fix, surely)
  local head = u.key .. ' ' .. source .. ' '
  local member = head .. fix .. ' ' .. now .. '\n' .. fields
  if call('ZADD', TRACK, fix, member) == 0 then return false end
  if surely then return true end
  local rank = call('ZRANK', TRACK, member)
  local beside = call('ZRANGE', TRACK, math.max(rank - 1, 0), rank + 1, 'WITHSCORES')
  for i = 1, #beside, 2 do
    local same = tonumber(beside[i + 1]) == fix and string.sub(beside[i], 1, #head) == head
    if same and beside[i] ~= member then
      call('ZREM', TRACK, member)
      return false
    end
  end
  return true
end

local function trim_track()
  local surplus = call('ZCARD', TRACK) - 1 - TRACK_LENGTH -- rank 0 keeps the key in being
  if surplus > 0 then call('ZREMRANGEBYRANK', TRACK, 1, surplus) end
end

-- The fix is the last known one: it waits for the room's window, and goes to the outbox by the outbox's rule.
local function set_last(u, user, role, fields, lat, lon, source, fix)
  u.f = fix .. ' ' .. now .. ' ' .. role .. ' ' .. source .. '\n' .. fields
  if not to_outbox() then return end
  lat, lon = tonumber(lat), tonumber(lon)
  if u.sent == '-' or now - u.sent >= OUTBOX_MS or metres(u.lat, u.lon, lat, lon) >= OUTBOX_M then
    outbox('location', user, location_json(u.f))
    u.sent, u.lat, u.lon, u.unsent = now, lat, lon, '0'
  else
    u.unsent = '1'
  end
end

-- A participant's last fix, to the outbox.
local function last_to_outbox(u, user)
  if u.unsent ~= '1' or not u.f or not to_outbox() then return false end
  outbox('location', user, location_json(u.f))
  u.sent, u.unsent = now, '0'
  return true
end

-- The last fixes of participants that go, to the outbox. `users` is a list of { key, user }.
local function all_last_to_outbox(users)
  if #users == 0 or not to_outbox() then return end
  local fields, writes = {}, {}
  for i, user in ipairs(users) do fields[2 * i - 1], fields[2 * i] = 'w:' .. user.key, 'f:' .. user.key end
  local r = call('HMGET', LOCATION, unpack(fields))
  for i, user in ipairs(users) do
    local u = { key = user.key, f = r[2 * i] ~= '' and r[2 * i] }
    read_window(u, r[2 * i - 1])
    if last_to_outbox(u, user.user) then
      writes[#writes + 1] = 'w:' .. u.key
      writes[#writes + 1] = window_of(u)
    end
  end
  if #writes > 0 then call('HSET', LOCATION, unpack(writes)) end
end

-- The user of a fix: the first of its fields, `"userId":"…"`.
local function whose(f)
  local from = string.find(f, '\n', 1, true) + 10
  local to = from
  repeat to = string.find(f, '"', to + 1, true) until #string.match(string.sub(f, from, to - 1), '\\*$') % 2 == 0
  return cjson.decode('[' .. string.sub(f, from, to) .. ']')[1]
end

-- One user's window: sends what is due. Returns how many were sent, and ms to its end or -1.
local function flush_user(key, throttle)
  local u = load_user(key)
  if u.pending ~= '1' or not u.f then return 0, -1 end
  if now < u.stop then return 0, u.stop - now end
  send_location(u, throttle)
  call('HSET', LOCATION, 'w:' .. key, window_of(u))
  return 1, -1
end

-- All users' windows: sends the fixes that are due, at most `most`. Returns how many it has handled, and ms to the next.
-- With `ending` all that wait are due, and last fixes that the outbox lacks go to it. With `over` the room is empty: they go to the
-- outbox only.
local function flush_all(throttle, most, ending, over)
  local done_with, wait, due, fields, writes, cursor = 0, -1, {}, {}, {}, '0'
  repeat -- in steps, since of very many most wait for the next call
    local step = call('HSCAN', LOCATION, cursor, 'MATCH', 'w:*', 'COUNT', 1000)
    local windows = step[2]
    cursor = step[1]
    for i = 1, #windows, 2 do
      local window = windows[i + 1]
      local stop = string.match(window, '^(%d+) 1 ')
      stop = stop and not over and tonumber(stop)
      if stop and (ending or now >= stop) or ending and string.sub(window, -2) == ' 1' then
        due[#due + 1] = { key = string.sub(windows[i], 3), window = window, waits = stop }
        fields[#due] = 'f:' .. due[#due].key
        if #due > most then break end
      elseif stop and (wait < 0 or stop - now < wait) then
        wait = stop - now
      end
    end
  until cursor == '0' or #due > most
  if #due > most then
    due[#due], fields[#due], wait = nil, nil, 1
  end
  if #due == 0 then return 0, wait end
  local fixes = call('HMGET', LOCATION, unpack(fields))
  for i, u in ipairs(due) do
    read_window(u, u.window)
    u.f = fixes[i] and fixes[i] ~= '' and fixes[i]
    if u.f then
      if u.waits then send_location(u, throttle) end
      if ending then last_to_outbox(u, u.unsent == '1' and whose(u.f)) end
      done_with = done_with + 1
      writes[#writes + 1] = 'w:' .. u.key
      writes[#writes + 1] = window_of(u)
    end
  end
  if #writes > 0 then call('HSET', LOCATION, unpack(writes)) end
  return done_with, wait
end
