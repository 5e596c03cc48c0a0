-- A socket joins the call of an interview, or one that its client has got back is in it again.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 interview:call   5 document (a string)
-- ARGV 1–11 as in rooms/lib/room.lua (8: the user key of its user)   12 presence window (ms)   13 grace (ms)   14 node
--      15 session epoch   16 user key of the sid   17 role ('' as it was before: then there is no identity)   18 identity
--      19 its user has a token ('1' or '')   20 it has come back ('1' or '')   21 most sockets
-- Returns { 'joined', …, first, position, epoch, ms to the end of the presence window or -1, role, identity, who is there (JSON, ''
--         if it is announced), version of the document, its writer, the document (JSON, '' none), { sid, identity, … of those
--         who show their screens } }; { 'missing', … } it was not there before, { 'full', … } or { 'taken', … } the identity is
--         that of a user who has a token
-- Safe to repeat by itself: a socket that joins again announces nothing.
local RESERVED = 20 -- sockets beyond the most, for all but observers
LOG, MEMBERS, CALL = KEYS[2], KEYS[3], KEYS[4]
open('', DUPLICATE)
local r = call('HMGET', CALL, 's:' .. SID, 'g:' .. SID)
local before, role, has_come_back = r[1] and place_of(SID, r[1]), ARGV[17], ARGV[20] == '1'
local new = { sid = SID, joined = now, role = role, token = ARGV[19] == '1' and '1' or '0', user = KEY, identity = ARGV[18] }
if role == '' then
  local known = before or r[2] and place_of(SID, string.match(r[2], '^%d+ (.*)$'))
  if not known then return answer('missing') end
  new.role, new.token, new.user, new.identity = known.role, known.token, known.user, known.identity
end
if not before and not has_come_back then
  local most = ARGV[21] + (new.role == 'observer' and 0 or RESERVED)
  if call('HLEN', MEMBERS) / 2 >= most then return answer('full') end
end
if new.token == '0' and not (before and before.identity == new.identity) then
  for _, p in ipairs(places()) do
    if p.token == '1' and (p.identity == new.identity or p.user == KEY) then return answer('taken') end
  end
end
ensure()
-- What is logged from here on is for the new member, its own announcement included.
local position = last
listen(ARGV[14])
member_put(SID, ARGV[16], SID, new.role, ARGV[14], ARGV[15])
local changed = not before or before.role ~= new.role or before.identity ~= new.identity
if changed then
  if before then new.joined = before.joined end
  new.new = SPEAKING[new.role] ~= nil
  call('HSET', CALL, 's:' .. SID, place_text(new))
  if r[2] then call('HDEL', CALL, 'g:' .. SID) end
end
local window = presence(tonumber(ARGV[12]), tonumber(ARGV[13]), changed)
keep(now, META, LOG)
live_on(MEMBERS, CALL)
commit()
local screens, list = {}, ''
if not has_come_back then
  local there, all = places()
  if not changed then list = places_json(there) end
  local shows = {}
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'x:' then shows[string.sub(all[i], 3)] = true end
  end
  for _, p in ipairs(there) do
    if shows[p.sid] and p.sid ~= SID then
      screens[#screens + 1] = p.sid
      screens[#screens + 1] = p.identity
    end
  end
end
local editor = call('HMGET', CALL, 'ev', 'es')
return answer('joined', before and 0 or 1, position, epoch, window, new.role, new.identity, list, editor[1] or 0, editor[2] or '',
  editor[1] and call('GET', KEYS[5]) or '', screens)
