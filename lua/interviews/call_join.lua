-- A socket joins the call of an interview, or one that its client has got back is in it again.
-- KEYS 1 scope:meta   2 scope:log   3 scope:members   4 interview:call
-- ARGV 1–11 as in rooms/lib/room.lua (8: the user key of its user)   12 presence window (ms)   13 grace (ms)   14 node
--      15 session epoch   16 user key of the sid   17 role ('' as it was before: then there is no identity)   18 identity
--      19 its user has a token ('1' or '')   20 it has come back ('1' or '')   21 most sockets
-- Returns { 'joined', …, first, position, epoch, ms to the end of the presence window or -1, role, identity, who is there (JSON, ''
--         if it is announced), version of the document (0 none; call_document reads it), { sid, identity, … of those who show their
--         screens } }; { 'missing', … } it was not there before, { 'full', … }, or { 'taken', … } the identity is that of a user who
--         has a token
-- Safe to repeat by itself: a socket that joins again announces nothing.
local RESERVED = 20 -- sockets beyond the most, for all but observers
LOG, MEMBERS, CALL = KEYS[2], KEYS[3], KEYS[4]
open('', DUPLICATE)
local r = call('HMGET', CALL, 's:' .. SID, 'g:' .. SID)
local before, role, has_come_back = r[1] and place_of(SID, r[1]), ARGV[17], ARGV[20] == '1'
local token, user, identity = ARGV[19] == '1' and '1' or '0', KEY, ARGV[18]
if role == '' then
  local known = before or r[2] and place_of(SID, string.match(r[2], '^%d+ (.*)$'))
  if not known then return answer('missing') end
  role, token, user, identity = known.role, known.token, user_key(known), known.identity
end
if not before and not has_come_back then
  local most = ARGV[21] + (role == 'observer' and 0 or RESERVED)
  if call('HLEN', MEMBERS) / 2 >= most then return answer('full') end
end
if token == '0' and not (before and before.identity == identity) then
  read_places()
  for _, p in pairs(by_sid) do
    if p.token == '1' and (p.identity == identity or user_key(p) == KEY) then return answer('taken') end
  end
end
ensure()
-- What is logged from here on is for the new member, its own announcement included.
local position = last
listen(ARGV[14])
member_put(SID, ARGV[16], SID, role, ARGV[14], ARGV[15])
local changed = not before or before.role ~= role or before.identity ~= identity
if changed then
  local new = new_place(SID, before and before.joined or now, role, SPEAKING[role], token, user, identity)
  call('HSET', CALL, 's:' .. SID, new.text)
  if r[2] then call('HDEL', CALL, 'g:' .. SID) end
  if by_sid then by_sid[SID] = new end
end
local window = presence(tonumber(ARGV[12]), tonumber(ARGV[13]), changed)
keep(now, META, LOG)
live_on(MEMBERS, CALL)
commit()
local screens, list = {}, ''
if not has_come_back then
  if not changed then list = places_json(places()) end
  read_places()
  for _, sid in ipairs(shows) do
    local p = by_sid[sid]
    if p and sid ~= SID then
      screens[#screens + 1] = sid
      screens[#screens + 1] = p.identity
    end
  end
end
return answer('joined', before and 0 or 1, position, epoch, window, role, identity, list, tonumber(call('HGET', CALL, 'ev') or 0),
  screens)
