-- Gives a user rights in this SOS, with a role, or takes them away.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua (8, 9: the user)   14 role ('' removes)
-- Returns { 'ok', … } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local status, role = call('HGET', STATE, 'status'), ARGV[14]
if not status then return { 'missing' } end
if FINAL[status] and role ~= '' then return refuse('closed', 'admit') end
call('HSET', STATE, 'adm:' .. KEY, role == '' and '-' or role)
ROLE = role
audit(role == '' and 'remove' or 'admit')
local all, changed = call('HGETALL', MEMBERS), false
for i = 1, #all, 2 do
  local rest = string.match(all[i + 1], '^' .. string.gsub(KEY, '%-', '%%-') .. ' %S+( %S+ %d+ %d+ %d+)$')
  if rest and string.byte(all[i]) ~= 64 then
    changed = true
    if role == '' then call('HDEL', MEMBERS, all[i]) else call('HSET', MEMBERS, all[i], KEY .. ' ' .. role .. rest) end
  end
end
local entry = user_entry(KEY)
if role == '' then
  call('HDEL', MEMBERS, '@' .. KEY)
elseif entry then
  entry.role = role
  user_put(KEY, entry)
end
if role == '' then
  control('removed', '{"userId":' .. json(USER) .. '}')
else
  control('admitted', '{"userId":' .. json(USER) .. ',"role":"' .. role .. '"}')
end
if changed or entry then presence_update() end
if not FINAL[status] then
  call('HSET', STATE, 'touched', now)
  keep_all()
end
return done(answer('ok'))
