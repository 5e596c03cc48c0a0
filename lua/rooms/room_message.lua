-- A message to a room, kept in its history.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 messages (a stream)
-- ARGV 1–11 as in lib/room.lua (2: its clientMessageId)   12 event   13 head and   14 sender: fields of the payload, JSON
--      15 text   16 for members only ('1' or '')
-- Returns { 'ok', …, message id, timestamp } or { 'not_member', … }
LOG, MEMBERS = KEYS[2], KEYS[3]
local first = open(KEY, DUPLICATE)
if first then return first end
if ARGV[16] == '1' and call('HEXISTS', MEMBERS, SID) == 0 then return answer('not_member') end
ensure()
local id = next_id() -- the same in both streams
add_message(KEYS[4], id, USER, ROLE, ARGV[15], ARGV[2], ARGV[14])
publish('* - - -\n["' .. ARGV[12] .. '",' .. message_json(ARGV[13], id, ARGV[2], ARGV[14], ARGV[15]) .. ']')
keep(now, META, LOG, MEMBERS, KEYS[4])
return done(answer('ok', id, now))
