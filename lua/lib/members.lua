-- Shared: scope:members. `<sid>` → `<user key> <role> <node> <session epoch> <joined> <last seen>`;
-- `@<user key>` → `<role> <last seen> <sockets> <shown online> <user>`, kept when the last connection is lost; `_` keeps
-- the key in being. A user key is the base64url of a user id.

local function user_entry(key)
  local entry = call('HGET', MEMBERS, '@' .. key)
  if not entry then return end
  local role, seen, sockets, shown, user = string.match(entry, '^(%S+) (%d+) (%d+) (%d) (.*)$')
  return { role = role, seen = tonumber(seen), sockets = tonumber(sockets), shown = shown, user = user }
end

local function user_put(key, entry)
  call('HSET', MEMBERS, '@' .. key,
    entry.role .. ' ' .. entry.seen .. ' ' .. entry.sockets .. ' ' .. entry.shown .. ' ' .. entry.user)
end

local function socket_entry(sid)
  local entry = call('HGET', MEMBERS, sid)
  if not entry then return end
  local key, role, node, session, joined, seen = string.match(entry, '^(%S+) (%S+) (%S+) (%d+) (%d+) (%d+)$')
  return { key = key, role = role, node = node, session = tonumber(session), joined = joined, seen = tonumber(seen) }
end

-- Makes or renews an entry; returns whether the socket was no member before, and whether its user was shown as online.
-- A newer session's entry is left alone.
local function member_put(sid, key, user, role, node, session)
  local old = socket_entry(sid)
  if old and old.session > tonumber(session) then return false, true end
  call('HSET', MEMBERS, sid,
    key .. ' ' .. role .. ' ' .. node .. ' ' .. session .. ' ' .. (old and old.joined or now) .. ' ' .. now)
  local entry = user_entry(key) or { sockets = 0, user = user }
  local shown = entry.shown == '1'
  entry.role, entry.seen, entry.shown = role, now, '1'
  if not old then entry.sockets = entry.sockets + 1 end
  user_put(key, entry)
  return not old, shown
end

-- Ends an entry if node and session match. Returns the user's key and entry, or nil. With `forget` the user vanishes with
-- its last socket.
local function member_drop(sid, node, session, seen, forget)
  local old = socket_entry(sid)
  if not old or old.node ~= node or old.session ~= tonumber(session) then return end
  call('HDEL', MEMBERS, sid)
  local entry = user_entry(old.key)
  if not entry then return old.key end
  entry.sockets = math.max(entry.sockets - 1, 0)
  entry.seen = math.max(entry.seen, seen)
  if entry.sockets == 0 and not forget then entry.seen = seen end
  if entry.sockets == 0 and forget then
    call('HDEL', MEMBERS, '@' .. old.key)
  else
    user_put(old.key, entry)
  end
  return old.key, entry
end
