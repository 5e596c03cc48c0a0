-- Sets the status of an SOS.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua
--   14 rule: client (role, table, a rescuer's own entry), force (any known status), table (the table and old status bind)
--   15 status   16 old status that must stand ('' any; rule table)   17 note
-- Returns { 'ok' or 'unchanged', …, status, old status, ended } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local rule, status, expected, note = ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY, 'citizen', 'r:' .. KEY, 'ra:' .. KEY, 'prov')
local present = state[1]
if not present then return { 'missing' } end
if not NEXT[status] then return { 'unknown_status' } end
local EVENT = 'sos:status:update'
local role = ROLE

if rule == 'client' then
  role = rights(ROLE, NAMED, state[2])
  if not role then return refuse('forbidden', EVENT, status, present) end
  ROLE = role
  if role == 'citizen' and (state[3] ~= USER or status ~= 'cancelled') then return refuse('forbidden', EVENT, status, present) end
  if role == 'rescuer' and FINAL[status] then return refuse('forbidden', EVENT, status, present) end
end

local responder = rule == 'client' and role == 'rescuer'
local entry -- this rescuer's own
if responder then
  local s, assigned, acked, arrived = string.match(state[4] or 'active 0 0 0 -', '^(%S+) (%d+) (%d+) (%d+) ')
  entry = { status = s, assigned = assigned, acked = acked, arrived = arrived }
end
local from = entry and entry.status or present
if status == from then return answer('unchanged', present, present, FINAL[present] and 1 or 0) end

if FINAL[present] then
  -- After the end a final status from the SOS service only refines `closed`.
  if not (rule == 'force' and present == 'closed' and FINAL[status]) then return refuse('closed', EVENT, status, present) end
  call('HSET', STATE, 'status', status, 'updatedAt', now, 'touched', now)
  audit('status', note, status, present)
  status_changed(status, present, USER, note)
  return done(answer('ok', status, present, 1))
end
if rule == 'table' and expected ~= '' and expected ~= present then return refuse('conflict', EVENT, status, present) end
if rule == 'table' or responder or role == 'citizen' then
  if not may_follow(from, status) then return refuse('transition', EVENT, status, from) end
end
if rule == 'client' and state[6] then call('HSET', STATE, 'ch', '1') end

local new = status
if responder then
  entry.status = status
  if status == 'assigned' and entry.assigned == '0' then entry.assigned = now end
  if status == 'arrived' and entry.arrived == '0' then entry.arrived = now end
  if entry.acked == '0' and state[5] then entry.acked = state[5] end
  call('HSET', STATE, 'r:' .. KEY,
    status .. ' ' .. entry.assigned .. ' ' .. entry.acked .. ' ' .. entry.arrived .. ' ' .. USER)
  local entries = call('HSCAN', STATE, 0, 'MATCH', 'r:*', 'COUNT', 1000000)[2]
  for i = 2, #entries, 2 do
    local s = string.match(entries[i], '^%S+')
    if RANK[s] > RANK[new] then new = s end
  end
end

if FINAL[new] then
  audit('status', note, new, present)
  finish(new, present, USER, note, note)
  local result = done(answer('ok', new, present, 1))
  last_hour()
  return result
end
call('HSET', STATE, 'status', new, 'updatedAt', now, 'touched', now)
audit(status == 'assigned' and 'assignment' or 'status', note, status, from)
status_changed(new, present, USER, note, responder and { USER, status } or nil)
keep_all()
return done(answer('ok', new, present, 0))
