-- Shared by the scripts of an SOS. After the six of scope.lua ARGV goes on with
--   7 sosId   8 user   9 user key (base64url)   10 role (the token's)   11 the token names this SOS ('1' or '')
--   12 socket ('' none)   13 source: socket, internal (not sent back through the outbox), hub; ` off` behind it: there is no
--   SOS service, and nothing goes to the outbox
-- Answers begin { outcome, heard or -1, listeners, outbox length if appended to, whether copies wait for watchers, time,
-- duplicate, … }; a refusal is { outcome }: missing, forbidden, not_member, closed, unknown_status, transition, conflict.
--
-- scope:meta has beside the scope's own fields: end (the SOS is over) · w:<id> (copies that watchers have not had yet), wo (ids
-- of these) · ob (lease of the outbox) · jw (sockets whose joins are not in the trail yet: lib/waiting).
--
-- sos:state: citizen status type soNo address createdAt updatedAt touched ackBy ackAt closedAt closedBy reason · prov (made
-- without a record) lu (last looked up) nf (answers 404 in a row) ch (a client has changed the status since) · unack (nobody
-- acknowledged in time) refusals (how many) · adm:<user key> → role, or '-' once removed · r:<user key> → a rescuer's own entry,
-- `<status> <assigned> <acknowledged> <arrived> <user>` (0: not yet) · ra:<user key> (when it acknowledged, before it had one).

-- STATE, EVENTS, USER, ROLE, SID and SOURCE are declared by rooms/lib/audit, which stands in front.
local SOS, KEY, NAMED, OFF = ARGV[7], ARGV[9], ARGV[11] == '1'
USER, ROLE, SID = ARGV[8], ARGV[10], ARGV[12]
SOURCE, OFF = string.match(ARGV[13] or '', '^(%S*)(.*)$')
local LOCATION, TRACK, MESSAGES, OUTBOX
local appended = false -- something to the outbox
local copies = 0       -- 1: there are copies for those who watch every SOS

-- The role that counts here, or nil. Dispatchers and admins have rights on every SOS. A removal outranks the token; an
-- admission replaces the token's role.
local function rights(role, named, admission)
  if role == 'dispatcher' or role == 'admin' then return role end
  if admission == '-' then return nil end
  if admission then return admission end
  return named and role or nil
end

local function json(text)
  if not text or text == '' then return 'null' end
  return cjson.encode(text)
end

local function to_outbox()
  return SOURCE ~= 'internal' and OFF == ''
end

local function outbox(event, user, data)
  if not to_outbox() then return end
  call('XADD', OUTBOX, '*', 'e', event, 'u', user, 'd', data, 't', now)
  appended = true
end

local function answer(outcome, ...)
  return { outcome, least, listeners, appended and call('XLEN', OUTBOX) or 0, copies, now, 0, ... }
end

-- Ends a write that had an effect.
local function done(result)
  ensure()
  remember(result, KEY, true)
  commit()
  return result
end

-- Ends a refused write. The trail names the refusal, and of a status which was asked for and which stood.
local function refuse(outcome, event, status, old)
  if outcome ~= 'missing' then audit_refusal(event .. ' ' .. outcome, nil, status, old) end
  local result = { outcome }
  remember(result, KEY, false)
  if epoch then commit() end
  return result
end
