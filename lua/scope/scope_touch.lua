-- Notes that sockets were seen now.
-- KEYS 1 scope:meta   2 scope:members
-- ARGV per socket: sid, node, session epoch
-- Returns the sids that are no members with this node and session epoch.
MEMBERS = KEYS[2]
clock()
local lost, users = {}, {}
for i = 1, #ARGV, 3 do
  local socket = socket_entry(ARGV[i])
  if socket and socket.node == ARGV[i + 1] and socket.session == tonumber(ARGV[i + 2]) then
    call('HSET', MEMBERS, ARGV[i], table.concat({ socket.key, socket.role, socket.node, socket.session, socket.joined, now }, ' '))
    users[socket.key] = true
  else
    lost[#lost + 1] = ARGV[i]
  end
end
for key in pairs(users) do
  local entry = user_entry(key)
  if entry then
    entry.seen = now
    user_put(key, entry, entry.user, presence_of(entry))
  end
end
-- A quiet scope with members lives on.
if next(users) and call('PTTL', META) < KEEP_MS - 3600000 then
  call('PEXPIRE', META, KEEP_MS)
  call('PEXPIRE', MEMBERS, KEEP_MS)
end
return lost
