-- Shared: members that joined by CONNECT before there was a state. Their joins are written to the trail and the outbox in parts:
-- `jw` in scope:meta names the sockets whose joins are not written yet.

local TOLD_AT_ONCE = 100

-- Writes the joins of the first sockets of a list. Returns whether there are more; `jw` names them then.
local function tell_joins(list)
  local sids, rest = {}, 1
  for sid, after in string.gmatch(list, '(%S+)()') do
    sids[#sids + 1], rest = sid, after
    if #sids == TOLD_AT_ONCE then break end
  end
  rest = string.sub(list, rest)
  put('jw', rest)
  if #sids == 0 then return false end
  local members, users, source = {}, {}, SOURCE
  for i, entry in ipairs(call('HMGET', MEMBERS, unpack(sids))) do
    local socket = socket_of(entry or nil)
    if socket then
      members[#members + 1] = { sid = sids[i], key = socket.key, role = socket.role }
      users[#users + 1] = '@' .. socket.key
    end
  end
  local entries = #users > 0 and call('HMGET', MEMBERS, unpack(users)) or {}
  SOURCE = 'socket'
  for i, member in ipairs(members) do
    local user = user_of(entries[i] or nil)
    if user then
      audit('join', nil, nil, nil, { user.user, member.role, member.sid })
      outbox('sos:init', user.user, '{"userId":' .. json(user.user) .. ',"role":"' .. member.role .. '","sosId":"' .. SOS ..
        '","action":"user_joined","timestamp":' .. now .. '}')
    end
  end
  SOURCE = source
  return string.find(rest, '%S') ~= nil
end
