-- A signal from a member to the others, to one socket, or to one user.
-- KEYS all nine of lib/sos.lua
-- ARGV 1–13 as in lib/sos.lua   14 to: socket or user ('' the others)   15 its user key   16 lengths of attachments ('-' none)
--      17 args array and attachments
-- Returns { 'ok' or 'nobody', … } or a refusal
all_keys()
local first = open(KEY, 7)
if first then return first end
local state = call('HMGET', STATE, 'status', 'adm:' .. KEY)
if not state[1] then return { 'missing' } end
if not rights(ROLE, NAMED, state[2]) then return refuse('forbidden', 'signal') end
if FINAL[state[1]] then return refuse('closed', 'signal') end
if call('HEXISTS', MEMBERS, SID) == 0 then return refuse('not_member', 'signal') end
local audience = '*'
if ARGV[14] ~= '' then
  -- A socket's id is looked at first, and may not be one of the entries that name a user or keep the key in being.
  if string.find(ARGV[14], '^[%w_-]+$') and ARGV[14] ~= '_' and call('HEXISTS', MEMBERS, ARGV[14]) == 1 then
    audience = 's:' .. ARGV[14]
  elseif user_entry(ARGV[15]) then
    audience = 'u:' .. ARGV[15]
  else
    return answer('nobody')
  end
end
publish(audience .. ' ' .. (SID == '' and '-' or SID) .. ' - ' .. ARGV[16] .. '\n' .. ARGV[17])
return done(answer('ok'))
