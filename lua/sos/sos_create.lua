-- Makes the state of an SOS, or adds to one that stands.
-- KEYS all nine of lib/sos.lua   10 scope:due
-- ARGV 1–13 as in lib/sos.lua
--   14 how: init (internal API), record (look-up), provisional (from the actor's token, which names this SOS)
--   15 citizenId   16 status   17 type   18 soNo   19 address (17–19 raw JSON)   20 createdAt (0: now)
--   21 citizen's user key   22 ms until it should be acknowledged   23 ms until a provisional one is looked up again
--   ('' never)   24–29 the citizen's fix as in lib/location.lua (only if there is one)
--   '' means not given.
-- Returns { 'created', 'completed' (it was provisional) or 'stood', …, ms until the earliest timer that this call set or -1,
-- whether sos_joins has members left to tell of }
all_keys()
local repeated = open(KEY, 7)
if repeated then return repeated end
local how, status = ARGV[14], ARGV[16]
local fields = { citizen = ARGV[15], type = ARGV[17], soNo = ARGV[18], address = ARGV[19] }
local state = call('HMGET', STATE, 'status', 'prov', 'ch', 'citizen', 'type', 'soNo', 'address')
local stands, due, more = state[1], -1, false

local function set(...) call('HSET', STATE, 'touched', now, 'updatedAt', now, ...) end

local function make()
  ensure()
  local made = tonumber(ARGV[20])
  if made == 0 then made = now end
  local prov = ''
  if how == 'provisional' then
    prov = '1'
    if ROLE == 'citizen' then fields.citizen = USER end
  end
  local first_status = NEXT[status] and not FINAL[status] and status or 'active'
  set('status', first_status, 'createdAt', string.format('%.0f', made), 'since', now, 'citizen', fields.citizen, 'type',
    fields.type, 'soNo', fields.soNo, 'address', fields.address, 'prov', prov)
  if prov == '' then call('HDEL', STATE, 'prov') else call('HSET', STATE, 'lu', now) end
  -- Every key exists from the start, so that no script has to wait for one while a slot moves.
  call('HSET', LOCATION, '_', '')
  call('ZADD', TRACK, '-inf', '')
  call('HSET', MEMBERS, '_', '')
  for _, stream in ipairs({ MESSAGES, EVENTS, OUTBOX }) do
    if call('EXISTS', stream) == 0 then call('XADD', stream, 'MAXLEN', 0, '0-1', 'b', '') end
  end
  audit('created', how, first_status)
  -- Members from CONNECT on were there before it.
  local waiting = {}
  for _, field in ipairs(call('HKEYS', MEMBERS)) do
    if field ~= '_' and string.byte(field) ~= 64 then waiting[#waiting + 1] = field end -- '@'
  end
  if #waiting > 0 then more = tell_joins(table.concat(waiting, ' ')) end
  if FINAL[status] then -- it was over before the hub heard of it: watchers are not told
    set('status', status, 'closedAt', now, 'closedBy', 'system')
    put('end', '1')
    put('kt', now + 1e10)
  else
    tell_watchers(now .. '-0c', '')
    due_open(KEYS[10])
    due = due_at('ack', now + ARGV[22])
    if prov ~= '' and ARGV[23] ~= '' then due = math.min(due, due_at('lookup', now + ARGV[23])) end
  end
end

-- Null fields only.
local function fill()
  local missing = {}
  for i, name in ipairs({ 'citizen', 'type', 'soNo', 'address' }) do
    if (state[i + 3] or '') == '' and fields[name] ~= '' then
      missing[#missing + 1] = name
      missing[#missing + 1] = fields[name]
    end
  end
  if #missing > 0 then set(unpack(missing)) end
end

-- A record takes the place of what was made without one.
local function complete()
  set('citizen', fields.citizen, 'type', fields.type, 'soNo', fields.soNo, 'address', fields.address)
  call('HDEL', STATE, 'prov', 'ch', 'lu', 'nf')
  if ARGV[20] ~= '0' then call('HSET', STATE, 'createdAt', ARGV[20]) end
  audit('created', 'completed by ' .. how)
  if FINAL[status] then
    finish(status, stands, 'system')
  elseif NEXT[status] and status ~= stands and not state[3] then
    set('status', status)
    audit('status', nil, status, stands)
    status_changed(status, stands, 'system')
  end
end

-- The citizen's first fix; what it sent itself since is newer.
local function place()
  local key, fix, usable = ARGV[21], fix_time(ARGV[28])
  local u = load_user(key)
  if u.f then return end
  local s = source_of(u, '-', 1)
  s.last, s.highest = usable and math.min(fix, now) or 0, fix
  local fields_json = '"userId":' .. json(ARGV[15]) .. ',"role":"citizen",' .. ARGV[24]
  track(u, fields_json, '-', fix)
  set_last(u, ARGV[15], 'citizen', fields_json, ARGV[25], ARGV[26], '-', fix)
  send_location(u, 1000)
  save_user(u)
end

local outcome = 'stood'
if not stands then
  outcome = 'created'
  make()
elseif state[2] and not FINAL[stands] and how ~= 'provisional' then
  outcome = 'completed'
  complete()
elseif not FINAL[stands] and how == 'init' then
  fill()
end
local final = FINAL[call('HGET', STATE, 'status')]
if ARGV[24] and not final and ARGV[15] ~= '' then place() end
if not final then keep_all() end
local result = answer(outcome, due, more and 1 or 0)
done(result)
if final and not FINAL[stands] then last_hour() end
return result
