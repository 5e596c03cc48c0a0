-- Ends an SOS with status closed, unless it is over: then nothing happens.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 reason
-- Returns { 'ok' or 'unchanged', …, status, old status, 1 } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY, 'citizen', 'prov')
local present = state[1]
if not present then return { 'missing' } end
if SOURCE ~= 'internal' then
  local role = rights(ROLE, NAMED, state[2])
  local may = role == 'dispatcher' or role == 'admin' or (role == 'citizen' and state[3] == USER)
  if not may then return refuse('forbidden', 'sos:close', 'closed', present) end
  ROLE = role
end
if FINAL[present] then return answer('unchanged', present, present, 1) end
finish('closed', present, USER, ARGV[14])
local result = done(answer('ok', 'closed', present, 1))
last_hour()
return result
