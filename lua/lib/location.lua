-- Shared: positions. sos:location holds per user key U
--   f:U → `<fix time> <arrival> <role> <device key>\n<fields of the broadcast as JSON text>`, the last known fix
--   w:U → `<window's end> <pending> <outbox time> <latitude> <longitude> <owed>`: whether f:U was not sent yet, when and
--         where the outbox last got one, whether it does not have f:U
--   d:U → `<device key>:<latest fix time> …` of the last eight devices, newest first
-- and t, the last arrival. A fix comes as six arguments: fields, latitude, longitude, device key, fix time, address.

local TRACK_LENGTH = 20000
local OUTBOX_MS, OUTBOX_M = 15000, 50

local function load_user(key)
  local r = call('HMGET', LOCATION, 'f:' .. key, 'w:' .. key, 'd:' .. key)
  local u = { key = key, f = r[1], devices = r[3] or '', stop = 0, pending = '0', sent = '-', lat = '-', lon = '-', owed = '0' }
  if r[2] then
    u.stop, u.pending, u.sent, u.lat, u.lon, u.owed = string.match(r[2], '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
    u.stop = tonumber(u.stop)
  end
  return u
end

local function window_of(u)
  return u.stop .. ' ' .. u.pending .. ' ' .. u.sent .. ' ' .. u.lat .. ' ' .. u.lon .. ' ' .. u.owed
end

local function save_user(u)
  call('HSET', LOCATION, 'f:' .. u.key, u.f or '', 'w:' .. u.key, window_of(u), 'd:' .. u.key, u.devices, 't', now)
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

-- Fix time by Redis' clock: missing, or more than 60 s ahead, is now.
local function fix_time(text)
  local fix = tonumber(text)
  if not fix or fix > now + 60000 then return now end
  return fix
end

-- The latest fix time of a device, and the list with this device in front.
local function device_latest(u, device, fix)
  local pattern = device .. ':'
  local latest
  if string.sub(u.devices, 1, #pattern) == pattern and not string.find(u.devices, ' ', 1, true) then
    latest = tonumber(string.sub(u.devices, #pattern + 1)) -- the usual case: one device
    u.devices = pattern .. math.max(latest, fix)
    return latest
  end
  local list = {}
  for name, time in string.gmatch(u.devices, '(%S*):(%d+)') do
    if name == device then latest = tonumber(time) elseif #list < 7 then list[#list + 1] = name .. ':' .. time end
  end
  u.devices = pattern .. math.max(latest or 0, fix) .. (#list > 0 and ' ' or '') .. table.concat(list, ' ')
  return latest
end

-- Adds to the track, once per user, device and fix time; false if it is there. `surely` spares the look.
local function track(u, fields, device, fix, surely)
  local head = u.key .. ' ' .. device .. ' '
  if not surely then
    for _, member in ipairs(call('ZRANGEBYSCORE', TRACK, fix, fix)) do
      if string.sub(member, 1, #head) == head then return false end
    end
  end
  call('ZADD', TRACK, fix, head .. fix .. ' ' .. now .. '\n' .. fields)
  return true
end

local function trim_track()
  local surplus = call('ZCARD', TRACK) - 1 - TRACK_LENGTH -- rank 0 keeps the key in being
  if surplus > 0 then call('ZREMRANGEBYRANK', TRACK, 1, surplus) end
end

-- The fix is the last known one: owed to the room, and by its rule to the outbox.
local function set_last(u, user, role, fields, lat, lon, device, fix)
  u.f = fix .. ' ' .. now .. ' ' .. role .. ' ' .. device .. '\n' .. fields
  if SOURCE == 'internal' then return end
  lat, lon = tonumber(lat), tonumber(lon)
  if u.sent == '-' or now - u.sent >= OUTBOX_MS or metres(u.lat, u.lon, lat, lon) >= OUTBOX_M then
    outbox('location', user, location_json(u.f))
    u.sent, u.lat, u.lon, u.owed = now, lat, lon, '0'
  else
    u.owed = '1'
  end
end

-- Everybody's windows: sends what is due (`all`: whatever waits). Returns how many were sent, and ms to the next.
local function flush_all(throttle, all, only)
  local sent, wait = 0, -1
  local names = only and { 'w:' .. only, call('HGET', LOCATION, 'w:' .. only) } or call('HGETALL', LOCATION)
  for i = 1, #names, 2 do
    local key = string.match(names[i], '^w:(.*)$')
    if key and names[i + 1] and string.match(names[i + 1], '^%S+ 1 ') then
      local u = load_user(key)
      if all or now >= u.stop then
        send_location(u, throttle)
        call('HSET', LOCATION, 'w:' .. key, window_of(u))
        sent = sent + 1
      elseif wait < 0 or u.stop - now < wait then
        wait = u.stop - now
      end
    end
  end
  return sent, wait
end

-- A participant's last fix goes to the outbox when it goes.
local function last_to_outbox(key, user)
  local u = load_user(key)
  if u.owed ~= '1' or not u.f then return end
  outbox('location', user, location_json(u.f))
  u.sent, u.owed = now, '0'
  call('HSET', LOCATION, 'w:' .. key, window_of(u))
end
