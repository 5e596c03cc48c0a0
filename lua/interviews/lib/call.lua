-- Shared by the scripts of a call: its sockets, and how they are announced. Needs scope/lib/scope, log, members and rooms/lib/audit,
-- room. A script assigns MEMBERS and CALL.
--
-- interview:call: s:<sid> → `<joined> <role> <new> <has a token> <user key> <identity>` of each socket that counts as being there, one
-- whose connection was lost included · g:<sid> → `<since> <the same>` of one that does not any more, kept as long as its client
-- may get it back · x:<sid>: it shows its screen · ev, es: version of the document and the socket that wrote it · pe: end of
-- the present window · pw: '1' if there is something to announce when it ends.
-- scope:members has each socket as a user of its own, whose id is the sid: so it says of each socket when it was lost.

noted = false -- who comes and goes is noted here, and not by scope/lib/members

local CALL
local ID = string.match(META, '{(.*)}$')
local LISTED = 50        -- so many sockets are announced once in a window; more of them less often
local MOST_SCREENS = 16
local MOST_KEPT = 1000   -- sockets that are there no longer, and may come back
local LOOKED_AT = 64     -- of these at once, whether they still may
local SPEAKING = { candidate = 'candidate', interviewer = 'interviewer', recruiter = 'interviewer', admin = 'interviewer' }

-- Redis' Lua hashes each string that comes to be, byte by byte, and the texts are long: so no part of one is taken out of it that is
-- not needed. `from` and `stop`: where its user key stands.
local function place_of(sid, text)
  local joined, role, new, token, from = string.match(text, '^(%d+) (%S+) (%d) (%d) ()')
  local stop = string.find(text, ' ', from, true)
  return {
    sid = sid, text = text, joined = tonumber(joined), role = role, new = new == '1', token = token, from = from, stop = stop,
    identity = string.sub(text, stop + 1),
  }
end

local function user_key(p)
  p.user = p.user or string.sub(p.text, p.from, p.stop - 1)
  return p.user
end

local function new_place(sid, joined, role, new, token, user, identity)
  return place_of(sid, string.format('%.0f', joined) .. ' ' .. role .. ' ' .. (new and 1 or 0) .. ' ' .. token .. ' ' .. user ..
    ' ' .. identity)
end

local function place(sid)
  local text = call('HGET', CALL, 's:' .. sid)
  return text and place_of(sid, text)
end

-- What is read of the call, once: by_sid, all that count as being there, those whose connection was lost included; shows, the sids
-- of those who show their screens; kept, the fields of those who are there no longer. A script that changes a place says so here.
local by_sid, shows, kept

local function read_places()
  if by_sid then return end
  local sids, fields = {}, {}
  by_sid, shows, kept = {}, {}, {}
  -- What is kept of those who are gone is several times as long, and is not read.
  for _, field in ipairs(call('HKEYS', CALL)) do
    local of = string.sub(field, 1, 2)
    if of == 's:' then
      fields[#fields + 1] = field
      sids[#sids + 1] = string.sub(field, 3)
    elseif of == 'g:' then
      kept[#kept + 1] = field
    elseif of == 'x:' then
      shows[#shows + 1] = string.sub(field, 3)
    end
  end
  for i, text in ipairs(#fields > 0 and call('HMGET', CALL, unpack(fields)) or {}) do
    by_sid[sids[i]] = place_of(sids[i], text)
  end
end

-- All that count as being there, the first that came first.
local function places()
  read_places()
  local list = {}
  for _, p in pairs(by_sid) do list[#list + 1] = p end
  table.sort(list, function(a, b)
    if a.joined ~= b.joined then return a.joined < b.joined end
    return a.sid < b.sid
  end)
  return list
end

-- Encoded at once: to put it together from parts would hash each byte several times.
local function places_json(list, event)
  local told = {}
  for i, p in ipairs(list) do told[i] = { socketId = p.sid, identity = p.identity, role = p.role } end
  if #told == 0 then return event and '["' .. event .. '",[]]' or '[]' end
  return cjson.encode(event and { event, told } or told)
end

local function screen_json(sid, identity, active)
  return '{"socketId":"' .. sid .. '","identity":' .. cjson.encode(identity) .. ',"active":' .. tostring(active) .. '}'
end

-- A key that holds something lives as long as the keys of the scope.
local function live_on(...)
  for _, key in ipairs({ ... }) do
    if call('PTTL', key) < KEEP_MS - 3600000 then call('PEXPIRE', key, KEEP_MS) end
  end
end

-- Sockets that are there no longer are forgotten, but for what the clients of the first `most` of them need that come back yet. A
-- screen goes with its socket.
local function remove(gone, most)
  if #gone == 0 then return end
  local fields, kept, screens = {}, {}, {}
  for i, p in ipairs(gone) do
    fields[#fields + 1] = 's:' .. p.sid
    screens[i] = 'x:' .. p.sid
    if i <= most then
      kept[#kept + 1] = 'g:' .. p.sid
      kept[#kept + 1] = now .. ' ' .. p.text
    end
  end
  for i, shown in ipairs(call('HMGET', CALL, unpack(screens))) do
    if shown then
      fields[#fields + 1] = screens[i]
      publish('* - - -\n["screen:share",' .. screen_json(gone[i].sid, gone[i].identity, false) .. ']')
    end
  end
  call('HDEL', CALL, unpack(fields))
  if #kept > 0 then call('HSET', CALL, unpack(kept)) end
end

-- Forgets sockets whose clients cannot come back any more: it looks at so many of them, each time at others. Returns how many are
-- kept.
local function forget_old()
  local count, some, old = #kept, {}, {}
  for i = 1, math.min(count, LOOKED_AT) do some[i] = kept[(now + i) % count + 1] end
  for i, text in ipairs(#some > 0 and call('HMGET', CALL, unpack(some)) or {}) do
    if text and now - string.match(text, '^(%d+)') > tonumber(ARGV[3]) then old[#old + 1] = some[i] end
  end
  if #old > 0 then call('HDEL', CALL, unpack(old)) end
  return count - #old
end

-- Those of scope:members: the sids of the sockets that are here, and of each that was lost its field and since when.
local function members()
  local here, lost, all = {}, {}, call('HGETALL', MEMBERS)
  for i = 1, #all, 2 do
    if string.byte(all[i]) ~= 64 then -- '@'
      here[all[i]] = true
    elseif string.find(all[i + 1], ' 0 ', 1, true) then
      local entry = user_of(all[i + 1])
      if entry.sockets == 0 then lost[entry.user] = { field = all[i], seen = entry.seen } end
    end
  end
  return here, lost
end

-- Finds out who counts as being there: not a socket that was lost a grace ago or more, or after which its user has joined with
-- another one. Returns those who are there, how many went, and ms until the next one may go or -1.
local function judge(grace)
  local here, lost = members()
  local list, newest = places(), {}
  if next(lost) then -- by user and role: when one of the sockets that are here joined last
    for _, p in ipairs(list) do
      if here[p.sid] then newest[user_key(p) .. p.role] = p.joined end
    end
  end
  local there, gone, fields, wait = {}, {}, {}, -1
  for _, p in ipairs(list) do
    p.here = here[p.sid]
    local loss = lost[p.sid]
    local left = p.here and 0 or loss and loss.seen + grace - now or -1
    if not p.here and loss and (newest[user_key(p) .. p.role] or 0) >= loss.seen then left = -1 end
    if p.here or left > 0 then
      there[#there + 1] = p
      if not p.here and (wait < 0 or left < wait) then wait = left end
    else
      gone[#gone + 1] = p
      by_sid[p.sid] = nil
      if loss then fields[#fields + 1] = loss.field end
    end
  end
  remove(gone, MOST_KEPT - forget_old())
  if #fields > 0 then call('HDEL', MEMBERS, unpack(fields)) end
  return there, #gone, wait
end

-- Whether somebody who has just come makes the pair of candidate and interviewer complete: the other side is there, and on its
-- own side nobody was but earlier sockets of the same user.
local function completes_pair(there)
  local sides = { candidate = {}, interviewer = {} }
  for _, p in ipairs(there) do
    local side = sides[SPEAKING[p.role]]
    if side then
      side.is_there = true
      if p.here and not p.new then
        side.several = side.several or side.user and side.user ~= user_key(p)
        side.user = user_key(p)
      end
    end
  end
  if not (sides.candidate.is_there and sides.interviewer.is_there) then return false end
  for _, p in ipairs(there) do
    local side = p.new and sides[SPEAKING[p.role]]
    if side and not side.several and (not side.user or side.user == user_key(p)) then return true end
  end
  return false
end

-- Tells everybody who is there, and when the pair has become complete.
local function announce(there, window)
  publish('* - - -\n' .. places_json(there, 'presence:update'))
  if completes_pair(there) then publish('* - - -\n["call:ready",{"interviewId":"' .. ID .. '"}]') end
  local fields = { 'pe', now + window * math.max(1, math.ceil(#there / LISTED)), 'pw', '' }
  for _, p in ipairs(there) do
    if p.new then
      fields[#fields + 1] = 's:' .. p.sid
      fields[#fields + 1] = string.gsub(p.text, '^(%d+ %S+ )1', '%10', 1)
    end
  end
  call('HSET', CALL, unpack(fields))
end

-- How much of the present window is left, in ms; 0 if it is over.
local function window_left(window, stop)
  local left = tonumber(stop or 0) - now
  local longest = window * (1 + call('HLEN', MEMBERS) / LISTED)
  return left > longest and 0 or math.max(left, 0) -- far ahead: Redis' clock was set back
end

-- Who is there has changed: it is announced now if the window is over, else when it ends. Returns ms until somebody must come
-- for that, or -1.
local function presence(window, grace, changed)
  local r = call('HMGET', CALL, 'pe', 'pw')
  local waits = r[2] == '1'
  if not changed and not waits then return -1 end
  local left = window_left(window, r[1])
  if left == 0 then
    announce(judge(grace), window)
    return -1
  end
  if not waits then call('HSET', CALL, 'pw', 1) end
  return left
end
