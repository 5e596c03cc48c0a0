-- A message to the room, by a member or by the internal API.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua (2: its clientMessageId)   14 text
-- Returns { 'ok', …, message id, timestamp } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY)
if not state[1] then return { 'missing' } end
if SOURCE ~= 'internal' then
  local role = rights(ROLE, NAMED, state[2])
  if not role then return refuse('forbidden', 'message:send') end
  ROLE = role
end
if FINAL[state[1]] then return refuse('closed', 'message:send') end
if SOURCE ~= 'internal' and call('HEXISTS', MEMBERS, SID) == 0 then return refuse('not_member', 'message:send') end
ensure()
local id = next_id() -- the same in both streams
local sender = '"userId":' .. json(USER) .. ',"role":' .. json(ROLE)
local data = message_json('"sosId":"' .. SOS .. '"', id, ARGV[2], sender, ARGV[14])
add_message(MESSAGES, id, USER, ROLE, ARGV[14], ARGV[2])
broadcast('message:broadcast', data)
outbox('message', USER, data)
call('HSET', STATE, 'touched', now)
keep_all()
return done(answer('ok', id, now))
