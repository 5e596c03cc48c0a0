-- A message of a member to all in the call of an interview, kept in its history.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 interview:call   5 messages (a stream)
-- ARGV 1–11 as in rooms/lib/room.lua (2: its clientMessageId)   12 text
-- Returns { 'ok', …, message id, timestamp (ISO 8601), identity, role } or { 'not_member', … }
LOG, MEMBERS, CALL = KEYS[2], KEYS[3], KEYS[4]
local first = open(KEY, DUPLICATE)
if first then return first end
local from = call('HEXISTS', MEMBERS, SID) == 1 and place(SID)
if not from then return answer('not_member') end
ensure()
local id = next_id() -- the same in both streams
local sender = '"socketId":"' .. SID .. '","identity":' .. cjson.encode(from.identity) .. ',"role":"' .. from.role .. '"'
add_message(KEYS[5], id, USER, from.role, ARGV[12], ARGV[2], sender)
publish('* - - -\n["chat:message",{"interviewId":"' .. ID .. '","messageId":"' .. id .. '","clientMessageId":' ..
  (ARGV[2] == '' and 'null' or cjson.encode(ARGV[2])) .. ',' .. sender .. ',"text":' .. cjson.encode(ARGV[12]) ..
  ',"timestamp":"' .. iso(now) .. '"}]')
live_on(KEYS[5])
return done(answer('ok', id, iso(now), from.identity, from.role))
