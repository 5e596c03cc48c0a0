-- Shared: scope:members. `<sid>` → `<user key> <role> <node> <session epoch> <joined> <last seen>`;
-- `@<user key>` → `<role> <last seen> <sockets> <shown online> <user>`, kept when the last connection is lost; `_` keeps
-- the key in being. A user key is the base64url of a user id.
--
-- Where presence is announced, scope:meta notes the users whose presence has changed since: `p:<user key>` → `<n> <what was
-- announced> <user>`, and `pq:<n>` → user key for each n above `ph`, up to `pt`; po: a change was made by others than the internal
-- API; pv counts the changes. rooms/lib/presence announces them.

local noted            -- whether presence is announced here; nil: where a join has put `pn` into scope:meta
local from_api = false -- the internal API changes something, which the service behind it knows already

local function user_of(entry)
  if not entry then return end
  local role, seen, sockets, shown, user = string.match(entry, '^(%S+) (%d+) (%d+) (%d) (.*)$')
  return { role = role, seen = tonumber(seen), sockets = tonumber(sockets), shown = shown, user = user }
end

local function user_entry(key)
  return user_of(call('HGET', MEMBERS, '@' .. key))
end

local function is_online(entry)
  return entry.sockets > 0 or entry.shown == '1'
end

-- What an announcement says of a user, except when it was last seen.
local function presence_of(entry)
  return entry and entry.role .. ':' .. entry.sockets .. ':' .. (is_online(entry) and 1 or 0) or '-'
end

local function is_noted(key)
  return call('HEXISTS', META, 'p:' .. key) == 1
end

-- Notes the presence that these users had before a change: what was announced of each that has no note yet.
local function note(changes)
  if #changes == 0 then return end
  if noted == nil then noted = call('HEXISTS', META, 'pn') == 1 end
  if not noted then return end
  call('HINCRBY', META, 'pv', #changes)
  local marks, new, fields = {}, {}, {}
  for i, change in ipairs(changes) do marks[i] = 'p:' .. change.key end
  for i, known in ipairs(call('HMGET', META, unpack(marks))) do
    if not known then new[#new + 1] = changes[i] end
  end
  if #new == 0 then return end
  local n = call('HINCRBY', META, 'pt', #new) - #new
  for _, change in ipairs(new) do
    n = n + 1
    local at = #fields
    fields[at + 1], fields[at + 2] = 'p:' .. change.key, n .. ' ' .. change.before .. ' ' .. change.user
    fields[at + 3], fields[at + 4] = 'pq:' .. n, change.key
  end
  if not from_api then
    fields[#fields + 1] = 'po'
    fields[#fields + 1] = 1
  end
  call('HSET', META, unpack(fields))
end

-- Writes the entries of users, each once: { key, entry (nil: it is removed), user, before (its presence until now) }. A few
-- hundred at most.
local function users_put(changes)
  local written, removed, changed = {}, {}, {}
  for _, change in ipairs(changes) do
    local entry = change.entry
    if entry then
      written[#written + 1] = '@' .. change.key
      written[#written + 1] = entry.role .. ' ' .. entry.seen .. ' ' .. entry.sockets .. ' ' .. entry.shown .. ' ' .. entry.user
    else
      removed[#removed + 1] = '@' .. change.key
    end
    if presence_of(entry) ~= change.before then changed[#changed + 1] = change end
  end
  if #written > 0 then call('HSET', MEMBERS, unpack(written)) end
  if #removed > 0 then call('HDEL', MEMBERS, unpack(removed)) end
  note(changed)
end

local function user_put(key, entry, user, before)
  users_put({ { key = key, entry = entry, user = user, before = before } })
end

local function socket_of(entry)
  if not entry then return end
  local key, role, node, session, joined, seen = string.match(entry, '^(%S+) (%S+) (%S+) (%d+) (%d+) (%d+)$')
  return { key = key, role = role, node = node, session = tonumber(session), joined = joined, seen = tonumber(seen) }
end

local function socket_entry(sid)
  return socket_of(call('HGET', MEMBERS, sid))
end

-- Whether a user has so many sockets here, this one not among them: what reads all members shall not cost what one user chooses.
local function is_crowded(sid, key, most)
  local entry = user_entry(key)
  return entry and entry.sockets >= tonumber(most) and call('HEXISTS', MEMBERS, sid) == 0
end

-- Makes or renews the entry of a socket; returns whether it was no member before. The entry of a newer session stays. With `lost`
-- Redis had lost the member: its user is shown as online only when the socket has joined again.
local function member_put(sid, key, user, role, node, session, lost)
  local old = socket_entry(sid)
  if old and old.session > tonumber(session) then return false end
  call('HSET', MEMBERS, sid,
    key .. ' ' .. role .. ' ' .. node .. ' ' .. session .. ' ' .. (old and old.joined or now) .. ' ' .. now)
  local entry = user_entry(key)
  local before = presence_of(entry)
  entry = entry or { sockets = 0, user = user, shown = '0' }
  entry.role, entry.seen = role, now
  if not lost then entry.shown = '1' end
  if not old then entry.sockets = entry.sockets + 1 end
  user_put(key, entry, user, before)
  return not old
end

-- Takes sockets away from a user that were there at `seen`: lost, or ended (`forget`).
local function sockets_gone(entry, count, seen, forget)
  entry.sockets = math.max(entry.sockets - count, 0)
  entry.seen = math.max(entry.seen, seen)
  if entry.sockets == 0 and not forget then entry.seen = seen end
end

-- Ends an entry if node and session match. Returns the user's key and entry, or nil. With `forget` the user vanishes with
-- its last socket.
local function member_drop(sid, node, session, seen, forget)
  local old = socket_entry(sid)
  if not old or old.node ~= node or old.session ~= tonumber(session) then return end
  call('HDEL', MEMBERS, sid)
  local entry = user_entry(old.key)
  if not entry then return old.key end
  local before = presence_of(entry)
  sockets_gone(entry, 1, seen, forget)
  user_put(old.key, not (entry.sockets == 0 and forget) and entry or nil, entry.user, before)
  return old.key, entry
end
