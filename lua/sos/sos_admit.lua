-- Gives a user rights in this SOS, with a role, or takes them away.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua (8, 9: the user)   14 role ('' removes)   15 presence window (ms)
-- Returns { 'ok', …, ms to the end of the presence window or -1 } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local status, role = call('HGET', STATE, 'status'), ARGV[14]
if not status then return { 'missing' } end
if FINAL[status] and role ~= '' then return refuse('closed', 'admit') end
call('HSET', STATE, 'adm:' .. KEY, role == '' and '-' or role)
ROLE = role
audit(role == '' and 'remove' or 'admit')
from_api = true
local rest_of = '^' .. string.gsub(KEY, '%-', '%%-') .. ' %S+( %S+ %d+ %d+ %d+)$'
local all, sids, renamed = call('HGETALL', MEMBERS), {}, {}
for i = 1, #all, 2 do
  local rest = string.byte(all[i]) ~= 64 and string.match(all[i + 1], rest_of) -- '@'
  if rest then
    sids[#sids + 1] = all[i]
    renamed[#renamed + 1] = all[i]
    renamed[#renamed + 1] = KEY .. ' ' .. role .. rest
  end
end
for i = 1, #sids, 500 do
  local stop = math.min(i + 499, #sids)
  if role == '' then
    call('HDEL', MEMBERS, unpack(sids, i, stop))
  else
    call('HSET', MEMBERS, unpack(renamed, 2 * i - 1, 2 * stop))
  end
end
local entry = user_entry(KEY)
local before = presence_of(entry)
if entry then
  entry.role = role
  user_put(KEY, role ~= '' and entry or nil, USER, before)
end
if role == '' then
  control('removed', '{"userId":' .. json(USER) .. '}')
else
  control('admitted', '{"userId":' .. json(USER) .. ',"role":"' .. role .. '"}')
end
local window = presence(ARGV[15], differs(KEY))
if not FINAL[status] then
  call('HSET', STATE, 'touched', now)
  keep_all()
end
return done(answer('ok', window))
