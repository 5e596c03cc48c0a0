-- Shared: announces who is in a room, at most once in a window; in a large room only the changes. scope/lib/members notes what is
-- not announced yet. Needs scope/lib/scope, log, members, and in front of it `tell_presence(count, rest, who, outside)`, which
-- publishes an announcement: `rest` is the JSON of its other fields, `who` the user if it is only one, `outside` whether a change
-- was made by others than the internal API.
--
-- scope:meta: pe (the window's end) · pw ('1': there is something to announce when it ends) · pc (users when they were counted
-- last, at change pb) · ps (notes up to this one existed when a snapshot was taken: members that have it must hear of these users,
-- even if their presence is what was announced last).

local LISTED = 50 -- up to so many users the whole list is sent
local PART = 128  -- users in one announcement: its bytes and its time are bounded
local GONE = 64   -- users that one call counts as gone; the others are due at once

local users -- how many there are, once they are counted: to look at all of them takes its time

local function counted(count)
  users = count
  call('HSET', META, 'pc', count, 'pb', call('HGET', META, 'pv') or 0)
end

-- The members' fields that are users.
local function user_fields()
  local fields = {}
  for _, field in ipairs(call('HKEYS', MEMBERS)) do
    if string.byte(field) == 64 then fields[#fields + 1] = field end -- '@'
  end
  counted(#fields)
  return fields
end

-- Whether there are more users than are listed.
local function is_large()
  if call('HLEN', MEMBERS) <= LISTED + 1 then return false end
  local r = call('HMGET', META, 'pc', 'pv', 'pb')
  if (r[1] or 0) - ((r[2] or 0) - (r[3] or 0)) > LISTED then return true end
  return #user_fields() > LISTED
end

local function member_json(entry)
  return '{"userId":' .. cjson.encode(entry.user) .. ',"role":"' .. entry.role .. '","online":' .. tostring(is_online(entry)) ..
    ',"lastSeen":' .. entry.seen .. ',"sockets":' .. entry.sockets .. '}'
end

local function tell_changes(count, part, outside)
  local joined, left = {}, {}
  for _, change in ipairs(part) do
    if change.entry then joined[#joined + 1] = member_json(change.entry) else left[#left + 1] = cjson.encode(change.user) end
  end
  tell_presence(count, '"joined":[' .. table.concat(joined, ',') .. '],"left":[' .. table.concat(left, ',') .. ']',
    #part == 1 and part[1].user or '', outside)
end

local function tell_all(fields, part, outside)
  local members = {}
  for _, entry in ipairs(#fields > 0 and call('HMGET', MEMBERS, unpack(fields)) or {}) do
    members[#members + 1] = member_json(user_of(entry))
  end
  tell_presence(#fields, '"members":[' .. table.concat(members, ',') .. ']', #part == 1 and part[1].user or '', outside)
end

-- Removes the notes in (head, stop]. Returns the users whose presence is not what was announced.
local function take_notes(head, stop, seen)
  local places, marks, fields, part = {}, {}, {}, {}
  for n = head + 1, stop do places[#places + 1] = 'pq:' .. n end
  for i, key in ipairs(call('HMGET', META, unpack(places))) do
    marks[i], fields[i] = 'p:' .. (key or ''), '@' .. (key or '')
  end
  local notes, entries = call('HMGET', META, unpack(marks)), call('HMGET', MEMBERS, unpack(fields))
  for i, text in ipairs(notes) do
    if text then
      local n, before, user = string.match(text, '^(%d+) (%S+) (.*)$')
      local entry = user_of(entries[i])
      if presence_of(entry) ~= before or tonumber(n) <= seen then part[#part + 1] = { user = user, entry = entry } end
    end
  end
  call('HDEL', META, unpack(places))
  call('HDEL', META, unpack(marks))
  return part
end

-- Announces what has changed, now. Returns ms until the rest is due, or -1.
local function announce(window)
  local r = call('HMGET', META, 'ph', 'pt', 'ps', 'po')
  local head, tail, seen = tonumber(r[1] or 0), tonumber(r[2] or 0), tonumber(r[3] or 0)
  local stop, outside = math.min(tail, head + PART), r[4] == '1'
  local part = head < stop and take_notes(head, stop, seen) or {}
  put('ph', stop)
  if #part > 0 then
    local fields = not (users and users > LISTED) and user_fields()
    if users > LISTED then tell_changes(users, part, outside) else tell_all(fields, part, outside) end
    put('pe', now + window)
  end
  if stop < tail then
    put('pw', 1)
    return window
  end
  put('pw', '')
  put('po', '')
  return -1
end

-- Whether a user's presence is to be announced.
local function differs(key)
  local text = call('HGET', META, 'p:' .. key)
  if not text then return false end
  local n, before = string.match(text, '^(%d+) (%S+) ')
  return presence_of(user_entry(key)) ~= before or tonumber(n) <= tonumber(call('HGET', META, 'ps') or 0)
end

-- Announces now if the window is over, else when it ends. Returns ms until it ends, or -1 if there is nothing left to announce.
local function presence(window, wanted)
  window = tonumber(window)
  local r = call('HMGET', META, 'pe', 'pw')
  local is_due, left = r[2] == '1', tonumber(r[1] or 0) - now
  if not wanted and not is_due then return -1 end
  if left <= 0 or left > window then return announce(window) end -- far ahead: Redis' clock was set back
  if not is_due then put('pw', 1) end
  return left
end

-- Notes that a snapshot was taken for a member that will apply what is announced later.
local function snapshot_taken(tail)
  if tail > tonumber(call('HGET', META, 'ph') or 0) then put('ps', tail) end
end

-- Users whose last connection was lost longer than the grace ago count as gone. Returns them, { key, entry, … } each, and ms
-- until another user is due or -1.
local function show_gone(grace)
  local gone, wait, all = {}, -1, call('HSCAN', MEMBERS, 0, 'MATCH', '@*', 'COUNT', 1000000)[2]
  counted(#all / 2)
  for i = 1, #all, 2 do
    local entry = string.find(all[i + 1], ' 0 1 ', 1, true) and user_of(all[i + 1])
    if entry and entry.sockets == 0 and entry.shown == '1' then
      local due = math.max(entry.seen + grace - now, 0)
      if due == 0 and #gone < GONE then
        local before = presence_of(entry)
        entry.shown = '0'
        gone[#gone + 1] = { key = string.sub(all[i], 2), entry = entry, user = entry.user, before = before }
      elseif wait < 0 or due < wait then
        wait = due
        if due == 0 then break end
      end
    end
  end
  users_put(gone)
  return gone, wait
end

-- Whether there are changes that are not announced.
local function has_notes()
  local r = call('HMGET', META, 'pt', 'ph')
  return tonumber(r[1] or 0) > tonumber(r[2] or 0)
end
