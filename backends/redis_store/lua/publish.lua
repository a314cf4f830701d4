-- Make records visible, free their locks, wake the others: one moment.
-- KEYS: meta heads fails locks news sizes, then every chunk that an entry names
-- ARGV: run shift owner tag items tokens lengths entries bytes
--   items: kind (1), key (32), epoch (8) each; tokens: '' or 8 bytes each; lengths: 4 each
-- Returns {stayed, gone, id, count}: stayed is '' or '1' where another entry stays.
if restarted() then return 'RESTARTED' end
local heads, fails, locks, news, sizes = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local owner, items, tokens, lengths, blob = ARGV[3], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
for i = 7, #KEYS do
  if call('EXISTS', KEYS[i]) == 0 then return 'SWEPT' end
end
local least = number(call('HGET', meta, 'least'))
local size_at, where_at = 9, 60
local stayed, any_stayed, gone, total = {}, false, {}, tonumber(ARGV[9])
local at, count = 1, #items / 41
local token, lock = '', ''

local function frame_of(i)
  local length = unpack_number('>I4', lengths, i * 4 + 1)
  at = at + length
  return sub(blob, at - length, at - 1)
end

local function keep_failure(key, frame)
  local old = call('HGET', fails, key) or ''
  local framed = pack('>I4', #frame) .. frame
  if not string.find(old, framed, 1, true) then call('HSET', fails, key, old .. framed) end
end

-- Whether an entry that is there stays: it is of the same epoch or a later one.
local function stays(old, frame)
  local epoch = sub(frame, 1, 8)
  if least > 0 and number(epoch) < least then return true end
  return old and (sub(old, 1, 8) == epoch or number(sub(old, 1, 8)) > number(epoch))
end

for first = 0, count - 1, 1000 do
  local last = math.min(first + 1000, count) - 1
  local keys = {}
  for i = first, last do keys[i - first + 1] = sub(items, i * 41 + 2, i * 41 + 33) end
  local there = call('HMGET', heads, unpack(keys))
  local held = tokens ~= '' and call('HMGET', locks, unpack(keys))
  local set, free = {}, {}
  for j = 1, #keys do
    local i = first + j - 1
    local key, frame, old = keys[j], frame_of(i), there[j]
    if old and #old < 76 then old = false end
    stayed[i + 1] = '0'
    if string.byte(items, i * 41 + 1) ~= 1 then
      keep_failure(key, frame)
    else
      if stays(old, frame) then
        if old ~= frame then
          stayed[i + 1] = '1'
          any_stayed = true
        end
        total = total - number(sub(frame, size_at, size_at + 7))
      else
        set[#set + 1] = key
        set[#set + 1] = frame
        if old then
          total = total - number(sub(old, size_at, size_at + 7))
          if string.byte(old, where_at) ~= 0 then gone[#gone + 1] = key .. old end
        end
      end
      if held and held[j] then
        local own = sub(tokens, i * 8 + 1, i * 8 + 8)
        if own ~= token then token, lock = own, owner .. own end
        if held[j] == lock then free[#free + 1] = key end
      end
    end
  end
  if #set > 0 then call('HSET', heads, unpack(set)) end
  if #free > 0 then call('HDEL', locks, unpack(free)) end
end
if total ~= 0 then call('HINCRBY', sizes, 'bytes', total) end
local told = tell(news, sizes, items, ARGV[4])
return {any_stayed and table.concat(stayed) or '', gone, told[1], told[2]}
