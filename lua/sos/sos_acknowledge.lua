-- Acknowledges the SOS. The first acknowledgement counts.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua
-- Returns { 'ok' or 'unchanged', …, by, at } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY, 'ackBy', 'ackAt', 'r:' .. KEY, 'ra:' .. KEY)
if not state[1] then return { 'missing' } end
local role = rights(ROLE, NAMED, state[2])
if role ~= 'dispatcher' and role ~= 'rescuer' then return refuse('forbidden', 'sos:ack') end
ROLE = role
local by = state[3] or ''
if by ~= '' and (FINAL[state[1]] or by == USER) then return answer('unchanged', by, state[4]) end
if FINAL[state[1]] then return refuse('closed', 'sos:ack') end

-- A rescuer's own entry keeps when it did, also if another was first.
if role == 'rescuer' and not state[6] then
  call('HSET', STATE, 'ra:' .. KEY, now)
  if state[5] then
    local before, acked, after = string.match(state[5], '^(%S+ %d+ )(%d+)( .*)$')
    if acked == '0' then call('HSET', STATE, 'r:' .. KEY, before .. now .. after) end
  end
  audit('acknowledgement')
elseif by == '' then
  audit('acknowledgement')
end
if by ~= '' then return answer('unchanged', by, state[4]) end

call('HSET', STATE, 'ackBy', USER, 'ackAt', now, 'updatedAt', now, 'touched', now)
local data = '{"sosId":"' .. SOS .. '","userId":' .. json(USER) .. ',"role":"' .. role .. '","timestamp":' .. now .. '}'
broadcast('sos:acknowledged', data)
outbox('sos:acknowledged', USER, data)
keep_all()
return done(answer('ok', USER, now))
