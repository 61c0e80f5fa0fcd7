// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/config/aoetgt: text in, text out, one line in the log for each
 * refusal.  Documentation/ABI/testing/configfs-aoetgt has an entry for each
 * attribute.
 */
#include <linux/configfs.h>
#include <linux/ctype.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "aoetgt.h"

static struct aoetgt_target *to_target(struct config_item *item)
{
	return container_of(to_config_group(item), struct aoetgt_target, group);
}

/* One line that names target or view, attribute, value and reason.  Return: @err. */
static int aoetgt_refuse(struct aoetgt_disk *disk, const char *attr, const char *page,
			 size_t count, const char *why, int err)
{
	int len = min_t(size_t, count, 64);

	if (len && page[len - 1] == '\n')
		len--;
	aoetgt_err(disk, "%s: \"%*pE\": %s: %pe", attr, len, page, why, ERR_PTR(err));
	return err;
}

/*
 * Settings that the data path relies on stand still while it runs.  Return: 0
 * with the target's lock held, or -EBUSY.
 */
static int aoetgt_lock_idle(struct aoetgt_disk *disk, const char *attr, const char *page,
			    size_t count)
{
	mutex_lock(&disk->target->lock);
	if (!disk->open)
		return 0;
	mutex_unlock(&disk->target->lock);
	return aoetgt_refuse(disk, attr, page, count, "disable it first", -EBUSY);
}

static ssize_t aoetgt_show_bool(bool val, char *page)
{
	return sysfs_emit(page, "%d\n", val);
}

static int aoetgt_parse_bool(struct aoetgt_disk *disk, const char *attr, const char *page,
			     size_t count, bool *val)
{
	if (kstrtobool(page, val))
		return aoetgt_refuse(disk, attr, page, count, "neither 0 nor 1", -EINVAL);
	return 0;
}

static int aoetgt_parse_range(struct aoetgt_disk *disk, const char *attr, const char *page,
			      size_t count, u64 min, u64 max, u64 *val)
{
	int err = kstrtou64(page, 0, val);

	if (!err && (*val < min || *val > max))
		err = -ERANGE;
	if (err == -ERANGE)
		return aoetgt_refuse(disk, attr, page, count, "out of range", err);
	if (err)
		return aoetgt_refuse(disk, attr, page, count, "not a number", err);
	return 0;
}

/*
 * device, offset, length, read_only, enable, size, state: targets and views
 * have these alike.
 */

static ssize_t aoetgt_device_show(struct aoetgt_disk *disk, char *page)
{
	ssize_t len;

	mutex_lock(&disk->target->lock);
	len = sysfs_emit(page, "%s\n", disk->path ?: "");
	mutex_unlock(&disk->target->lock);
	return len;
}

static ssize_t aoetgt_device_store(struct aoetgt_disk *disk, const char *page, size_t count)
{
	size_t len = strcspn(page, "\n");
	char *path;
	int err;

	if (page[0] != '/')
		return aoetgt_refuse(disk, "device", page, count, "not an absolute path", -EINVAL);
	path = kmemdup_nul(page, len, GFP_KERNEL);
	if (!path)
		return -ENOMEM;
	err = aoetgt_lock_idle(disk, "device", page, count);
	if (!err) {
		swap(disk->path, path);
		mutex_unlock(&disk->target->lock);
	}
	kfree(path);
	return err ?: count;
}

/* Sectors; so few that neither bytes nor the end of a window overflow. */
static ssize_t aoetgt_window_store(struct aoetgt_disk *disk, const char *attr, const char *page,
				   size_t count, u64 *field)
{
	u64 val;
	int err;

	err = aoetgt_parse_range(disk, attr, page, count, 0, S64_MAX >> (SECTOR_SHIFT + 1), &val);
	if (err)
		return err;
	err = aoetgt_lock_idle(disk, attr, page, count);
	if (err)
		return err;
	*field = val;
	mutex_unlock(&disk->target->lock);
	return count;
}

static ssize_t aoetgt_offset_show(struct aoetgt_disk *disk, char *page)
{
	return sysfs_emit(page, "%llu\n", READ_ONCE(disk->offset));
}

static ssize_t aoetgt_offset_store(struct aoetgt_disk *disk, const char *page, size_t count)
{
	return aoetgt_window_store(disk, "offset", page, count, &disk->offset);
}

static ssize_t aoetgt_length_show(struct aoetgt_disk *disk, char *page)
{
	return sysfs_emit(page, "%llu\n", READ_ONCE(disk->length));
}

static ssize_t aoetgt_length_store(struct aoetgt_disk *disk, const char *page, size_t count)
{
	return aoetgt_window_store(disk, "length", page, count, &disk->length);
}

static ssize_t aoetgt_read_only_show(struct aoetgt_disk *disk, char *page)
{
	return aoetgt_show_bool(READ_ONCE(disk->read_only), page);
}

/* May change at any time. */
static ssize_t aoetgt_read_only_store(struct aoetgt_disk *disk, const char *page, size_t count)
{
	bool val;
	int err;

	err = aoetgt_parse_bool(disk, "read_only", page, count, &val);
	if (err)
		return err;
	mutex_lock(&disk->target->lock);
	err = aoetgt_disk_set_read_only(disk, val);
	mutex_unlock(&disk->target->lock);
	return err ?: count;
}

static ssize_t aoetgt_size_show(struct aoetgt_disk *disk, char *page)
{
	return sysfs_emit(page, "%llu\n", (u64)aoetgt_disk_size(disk));
}

static ssize_t aoetgt_state_show(struct aoetgt_disk *disk, char *page)
{
	return sysfs_emit(page, "%s\n", aoetgt_disk_state(disk));
}

#define AOETGT_DISK_SHOW(_pfx, _to_disk, _name)						\
static ssize_t _pfx##_name##_show(struct config_item *item, char *page)			\
{											\
	return aoetgt_##_name##_show(_to_disk(item), page);				\
}

#define AOETGT_DISK_ATTR(_pfx, _to_disk, _name)						\
AOETGT_DISK_SHOW(_pfx, _to_disk, _name)							\
static ssize_t _pfx##_name##_store(struct config_item *item, const char *page,		\
				   size_t count)					\
{											\
	return aoetgt_##_name##_store(_to_disk(item), page, count);			\
}											\
CONFIGFS_ATTR(_pfx, _name)

#define AOETGT_DISK_ATTR_RO(_pfx, _to_disk, _name)					\
AOETGT_DISK_SHOW(_pfx, _to_disk, _name)							\
CONFIGFS_ATTR_RO(_pfx, _name)

#define AOETGT_DISK_ATTRS(_pfx, _to_disk)						\
AOETGT_DISK_ATTR(_pfx, _to_disk, device);						\
AOETGT_DISK_ATTR(_pfx, _to_disk, offset);						\
AOETGT_DISK_ATTR(_pfx, _to_disk, length);						\
AOETGT_DISK_ATTR(_pfx, _to_disk, read_only);						\
AOETGT_DISK_ATTR_RO(_pfx, _to_disk, size);						\
AOETGT_DISK_ATTR_RO(_pfx, _to_disk, state)

static struct aoetgt_disk *target_to_disk(struct config_item *item)
{
	return &to_target(item)->disk;
}

AOETGT_DISK_ATTRS(aoetgt_target_, target_to_disk);

/* enable */

static ssize_t aoetgt_enable_show(struct config_item *item, char *page)
{
	return aoetgt_show_bool(READ_ONCE(to_target(item)->enabled), page);
}

static ssize_t aoetgt_enable_store(struct config_item *item, const char *page, size_t count)
{
	struct aoetgt_target *t = to_target(item);
	bool enable;
	int err;

	err = aoetgt_parse_bool(&t->disk, "enable", page, count, &enable);
	if (err)
		return err;
	mutex_lock(&t->lock);
	if (enable && !t->enabled)
		err = aoetgt_target_enable(t);
	else if (!enable)
		err = aoetgt_target_disable(t);
	mutex_unlock(&t->lock);
	return err ?: count;
}
CONFIGFS_ATTR(aoetgt_, enable);

/* discard */

static ssize_t aoetgt_discard_show(struct config_item *item, char *page)
{
	return aoetgt_show_bool(READ_ONCE(to_target(item)->discard), page);
}

static ssize_t aoetgt_discard_store(struct config_item *item, const char *page, size_t count)
{
	struct aoetgt_target *t = to_target(item);
	bool val;
	int err;

	err = aoetgt_parse_bool(&t->disk, "discard", page, count, &val);
	if (err)
		return err;
	err = aoetgt_lock_idle(&t->disk, "discard", page, count);
	if (err)
		return err;
	t->discard = val;
	mutex_unlock(&t->lock);
	return count;
}
CONFIGFS_ATTR(aoetgt_, discard);

/* mac_mask_remote, which may change at any time */

static ssize_t aoetgt_mac_mask_remote_show(struct config_item *item, char *page)
{
	return aoetgt_show_bool(READ_ONCE(to_target(item)->mask_remote), page);
}

static ssize_t aoetgt_mac_mask_remote_store(struct config_item *item, const char *page,
					    size_t count)
{
	struct aoetgt_target *t = to_target(item);
	bool val;
	int err;

	err = aoetgt_parse_bool(&t->disk, "mac_mask_remote", page, count, &val);
	if (err)
		return err;
	WRITE_ONCE(t->mask_remote, val);
	return count;
}
CONFIGFS_ATTR(aoetgt_, mac_mask_remote);

/* write_cache */

static ssize_t aoetgt_write_cache_show(struct config_item *item, char *page)
{
	bool back = READ_ONCE(to_target(item)->write_back);

	return sysfs_emit(page, "%s\n", back ? "back" : "through");
}

static ssize_t aoetgt_write_cache_store(struct config_item *item, const char *page, size_t count)
{
	static const char * const modes[] = { "through", "back" };
	struct aoetgt_target *t = to_target(item);
	int mode = sysfs_match_string(modes, page);
	int err;

	if (mode < 0)
		return aoetgt_refuse(&t->disk, "write_cache", page, count,
				     "neither through nor back", -EINVAL);
	err = aoetgt_lock_idle(&t->disk, "write_cache", page, count);
	if (err)
		return err;
	t->write_back = mode;
	mutex_unlock(&t->lock);
	return count;
}
CONFIGFS_ATTR(aoetgt_, write_cache);

/* buffer_count, max_sectors: what is advertised; may change at any time */

static ssize_t aoetgt_limit_store(struct aoetgt_target *t, const char *attr, const char *page,
				  size_t count, u64 min, u64 max, unsigned int *field)
{
	u64 val;
	int err;

	err = aoetgt_parse_range(&t->disk, attr, page, count, min, max, &val);
	if (err)
		return err;
	WRITE_ONCE(*field, val);
	aoetgt_bindings_advertise(t);
	return count;
}

static ssize_t aoetgt_buffer_count_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", READ_ONCE(to_target(item)->buffer_count));
}

static ssize_t aoetgt_buffer_count_store(struct config_item *item, const char *page,
					 size_t count)
{
	return aoetgt_limit_store(to_target(item), "buffer_count", page, count,
				  AOETGT_BUFFERS_MIN, AOETGT_BUFFERS_MAX,
				  &to_target(item)->buffer_count);
}
CONFIGFS_ATTR(aoetgt_, buffer_count);

static ssize_t aoetgt_max_sectors_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%u\n", READ_ONCE(to_target(item)->max_sectors));
}

static ssize_t aoetgt_max_sectors_store(struct config_item *item, const char *page, size_t count)
{
	struct aoetgt_target *t = to_target(item);

	/* While it is disabled, clients know nothing of it. */
	WRITE_ONCE(t->max_sectors_before, READ_ONCE(t->enabled) ? aoetgt_target_ceiling(t) : 0);
	WRITE_ONCE(t->max_sectors_changed, ktime_get_ns());
	/* Pairs with aoetgt_target_ceiling(): who sees the new limit sees these. */
	smp_wmb();
	return aoetgt_limit_store(to_target(item), "max_sectors", page, count, 0,
				  AOE_SECTORS_MAX, &to_target(item)->max_sectors);
}
CONFIGFS_ATTR(aoetgt_, max_sectors);

/* config_string: raw bytes; the newline that echo adds is not part of it */

static ssize_t aoetgt_config_string_show(struct config_item *item, char *page)
{
	struct aoetgt_target *t = to_target(item);
	ssize_t len;

	mutex_lock(&t->wire_lock);
	len = t->config_len;
	memcpy(page, t->config, len);
	mutex_unlock(&t->wire_lock);
	page[len++] = '\n';
	return len;
}

static ssize_t aoetgt_config_string_store(struct config_item *item, const char *page,
					  size_t count)
{
	struct aoetgt_target *t = to_target(item);
	size_t len = count;
	u8 *config;

	if (len && page[len - 1] == '\n')
		len--;
	if (len > AOE_CONFIG_MAX)
		return aoetgt_refuse(&t->disk, "config_string", page, count,
				     "longer than 1024 bytes", -ERANGE);
	config = kmemdup(page, max_t(size_t, len, 1), GFP_KERNEL);
	if (!config)
		return -ENOMEM;
	mutex_lock(&t->wire_lock);
	swap(t->config, config);
	t->config_len = len;
	mutex_unlock(&t->wire_lock);
	kfree(config);
	return count;
}
CONFIGFS_ATTR(aoetgt_, config_string);

/* mac_mask, reserved_by: one address a line; +ADDRESS and -ADDRESS edit */

static ssize_t aoetgt_macs_show(struct aoetgt_target *t, struct aoetgt_macs __rcu **slot,
				char *page)
{
	const struct aoe_maclist *list;
	unsigned int i;
	int len = 0;

	mutex_lock(&t->wire_lock);
	list = aoetgt_target_macs(t, *slot);
	for (i = 0; i < list->n; i++)
		len += sysfs_emit_at(page, len, "%pM\n", list->mac[i]);
	mutex_unlock(&t->wire_lock);
	return len;
}

/* One word of the text.  Return: NULL, or what is wrong with it. */
static const char *aoetgt_macs_word(struct aoe_maclist *list, unsigned int max, const char *word,
				    size_t len, int *err)
{
	char sign = *word == '+' || *word == '-' ? *word : 0;
	u8 mac[ETH_ALEN];

	*err = -EINVAL;
	if (sign)
		word++;
	if (len - !!sign != 3 * ETH_ALEN - 1 || !mac_pton(word, mac) ||
	    is_multicast_ether_addr(mac))
		return "not the address of an interface";
	if (sign == '-') {
		aoe_maclist_del(list, mac);
	} else if (!aoe_maclist_add(list, max, mac)) {
		*err = -ENOSPC;
		return "too many addresses";
	}
	*err = 0;
	return NULL;
}

/* The whole text, applied to a copy.  Return: NULL, or what is wrong with it. */
static const char *aoetgt_macs_parse(struct aoe_maclist *list, unsigned int max,
				     const char *page, int *err)
{
	bool edit, first = true;
	const char *why = NULL;
	size_t len;

	*err = 0;
	for (page = skip_spaces(page); *page && !why; page = skip_spaces(page + len)) {
		bool signed_word = *page == '+' || *page == '-';

		len = strcspn(page, " \t\r\n");
		if (first)
			edit = signed_word;
		if (first && !edit)
			list->n = 0;
		first = false;
		if (edit != signed_word) {
			*err = -EINVAL;
			return "a list or edits of it, not both";
		}
		why = aoetgt_macs_word(list, max, page, len, err);
	}
	if (first)
		list->n = 0;
	return why;
}

static ssize_t aoetgt_macs_store(struct aoetgt_target *t, struct aoetgt_macs __rcu **slot,
				 unsigned int max, const char *attr, const char *page,
				 size_t count)
{
	struct aoetgt_macs *macs = kmalloc(sizeof(*macs), GFP_KERNEL);
	const char *why;
	int err;

	if (!macs)
		return -ENOMEM;
	mutex_lock(&t->wire_lock);
	macs->list = *aoetgt_target_macs(t, *slot);
	why = aoetgt_macs_parse(&macs->list, max, page, &err);
	if (!why)
		aoetgt_target_set_macs(t, slot, macs);
	mutex_unlock(&t->wire_lock);
	if (!why)
		return count;
	kfree(macs);
	return aoetgt_refuse(&t->disk, attr, page, count, why, err);
}

static ssize_t aoetgt_mac_mask_show(struct config_item *item, char *page)
{
	return aoetgt_macs_show(to_target(item), &to_target(item)->mask, page);
}

static ssize_t aoetgt_mac_mask_store(struct config_item *item, const char *page, size_t count)
{
	return aoetgt_macs_store(to_target(item), &to_target(item)->mask, AOE_MASK_MAX,
				 "mac_mask", page, count);
}
CONFIGFS_ATTR(aoetgt_, mac_mask);

static ssize_t aoetgt_reserved_by_show(struct config_item *item, char *page)
{
	return aoetgt_macs_show(to_target(item), &to_target(item)->reserve, page);
}

static ssize_t aoetgt_reserved_by_store(struct config_item *item, const char *page, size_t count)
{
	return aoetgt_macs_store(to_target(item), &to_target(item)->reserve, AOE_RESERVE_MAX,
				 "reserved_by", page, count);
}
CONFIGFS_ATTR(aoetgt_, reserved_by);

/* model, serial, firmware: printable ASCII, empty for the default */

static ssize_t aoetgt_ident_show(struct aoetgt_target *t, const char *field, char *page)
{
	ssize_t len;

	mutex_lock(&t->lock);
	len = sysfs_emit(page, "%s\n", field);
	mutex_unlock(&t->lock);
	return len;
}

static ssize_t aoetgt_ident_store(struct aoetgt_target *t, const char *attr, const char *page,
				  size_t count, char *field, size_t max, const char *preset)
{
	size_t i, len = count && page[count - 1] == '\n' ? count - 1 : count;
	int err;

	if (len > max)
		return aoetgt_refuse(&t->disk, attr, page, count, "too long", -ERANGE);
	for (i = 0; i < len; i++)
		if (!isascii(page[i]) || !isprint(page[i]))
			return aoetgt_refuse(&t->disk, attr, page, count,
					     "not printable ASCII", -EINVAL);
	err = aoetgt_lock_idle(&t->disk, attr, page, count);
	if (err)
		return err;
	if (len) {
		memcpy(field, page, len);
		field[len] = '\0';
	} else if (preset) {
		strscpy(field, preset, max + 1);
	} else {
		aoetgt_target_default_serial(t);
	}
	mutex_unlock(&t->lock);
	return count;
}

#define AOETGT_IDENT_ATTR(_name, _max, _preset)						\
static ssize_t aoetgt_##_name##_show(struct config_item *item, char *page)		\
{											\
	return aoetgt_ident_show(to_target(item), to_target(item)->_name, page);	\
}											\
static ssize_t aoetgt_##_name##_store(struct config_item *item, const char *page,	\
				      size_t count)					\
{											\
	return aoetgt_ident_store(to_target(item), #_name, page, count,			\
				  to_target(item)->_name, _max, _preset);		\
}											\
CONFIGFS_ATTR(aoetgt_, _name)

AOETGT_IDENT_ATTR(model, ATA_MODEL_LEN, AOETGT_MODEL);
AOETGT_IDENT_ATTR(serial, ATA_SERIAL_LEN, NULL);
AOETGT_IDENT_ATTR(firmware, ATA_FIRMWARE_LEN, AOETGT_VERSION);

/* cgroup */

static ssize_t aoetgt_cgroup_show(struct config_item *item, char *page)
{
	struct aoetgt_target *t = to_target(item);
	ssize_t len;

	mutex_lock(&t->lock);
	len = sysfs_emit(page, "%s\n", t->cgroup ?: "");
	mutex_unlock(&t->lock);
	return len;
}

static ssize_t aoetgt_cgroup_store(struct config_item *item, const char *page, size_t count)
{
	struct aoetgt_target *t = to_target(item);
	size_t len = strcspn(page, "\n");
	char *path = NULL;
	int err;

	if (len && page[0] != '/')
		return aoetgt_refuse(&t->disk, "cgroup", page, count,
				     "not an absolute path", -EINVAL);
	if (len)
		path = kmemdup_nul(page, len, GFP_KERNEL);
	if (len && !path)
		return -ENOMEM;
	err = aoetgt_lock_idle(&t->disk, "cgroup", page, count);
	if (err) {
		kfree(path);
		return err;
	}
	swap(t->cgroup, path);
	mutex_unlock(&t->lock);
	kfree(path);
	return count;
}
CONFIGFS_ATTR(aoetgt_, cgroup);

static struct configfs_attribute *aoetgt_target_attrs[] = {
	&aoetgt_target_attr_device,
	&aoetgt_attr_enable,
	&aoetgt_target_attr_read_only,
	&aoetgt_attr_discard,
	&aoetgt_attr_write_cache,
	&aoetgt_target_attr_offset,
	&aoetgt_target_attr_length,
	&aoetgt_attr_buffer_count,
	&aoetgt_attr_max_sectors,
	&aoetgt_attr_config_string,
	&aoetgt_attr_mac_mask,
	&aoetgt_attr_mac_mask_remote,
	&aoetgt_attr_reserved_by,
	&aoetgt_attr_model,
	&aoetgt_attr_serial,
	&aoetgt_attr_firmware,
	&aoetgt_attr_cgroup,
	&aoetgt_target_attr_size,
	&aoetgt_target_attr_state,
	NULL,
};

/* stats/ */

static struct aoetgt_target *stats_to_target(struct config_item *item)
{
	return container_of(to_config_group(item), struct aoetgt_target, stats_group);
}

#define AOETGT_STAT_ATTR(_name)								\
static ssize_t aoetgt_stat_##_name##_show(struct config_item *item, char *page)		\
{											\
	struct aoetgt_stats *stats = &stats_to_target(item)->stats;			\
											\
	return sysfs_emit(page, "%llu\n",						\
			  (u64)atomic64_read(&stats->count[AOETGT_STAT_##_name]));	\
}											\
CONFIGFS_ATTR_RO(aoetgt_stat_, _name);

AOETGT_STATS(AOETGT_STAT_ATTR, AOETGT_STAT_ATTR)

static ssize_t aoetgt_stat_dropped_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%llu\n", aoetgt_stats_dropped(&stats_to_target(item)->stats));
}
CONFIGFS_ATTR_RO(aoetgt_stat_, dropped);

static ssize_t aoetgt_stat_in_flight_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", atomic_read(&stats_to_target(item)->in_flight));
}
CONFIGFS_ATTR_RO(aoetgt_stat_, in_flight);

static ssize_t aoetgt_stat_latency_show(struct config_item *item, char *page)
{
	return aoetgt_stats_latency(&stats_to_target(item)->stats, page);
}
CONFIGFS_ATTR_RO(aoetgt_stat_, latency);

#define AOETGT_STAT_ATTR_PTR(_name)	&aoetgt_stat_attr_##_name,

static struct configfs_attribute *aoetgt_stats_attrs[] = {
	AOETGT_STATS(AOETGT_STAT_ATTR_PTR, AOETGT_STAT_ATTR_PTR)
	&aoetgt_stat_attr_dropped,
	&aoetgt_stat_attr_in_flight,
	&aoetgt_stat_attr_latency,
	NULL,
};

static const struct config_item_type aoetgt_stats_type = {
	.ct_attrs = aoetgt_stats_attrs,
	.ct_owner = THIS_MODULE,
};

/* interfaces/ */

static struct aoetgt_binding *to_binding(struct config_item *item)
{
	return container_of(item, struct aoetgt_binding, item);
}

static ssize_t aoetgt_binding_state_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%s\n", aoetgt_binding_state(to_binding(item)));
}
CONFIGFS_ATTR_RO(aoetgt_binding_, state);

static ssize_t aoetgt_binding_netdev_show(struct config_item *item, char *page)
{
	char name[IFNAMSIZ];

	aoetgt_binding_netdev(to_binding(item), name);
	return sysfs_emit(page, "%s\n", name);
}
CONFIGFS_ATTR_RO(aoetgt_binding_, netdev);

static struct configfs_attribute *aoetgt_binding_attrs[] = {
	&aoetgt_binding_attr_state,
	&aoetgt_binding_attr_netdev,
	NULL,
};

static void aoetgt_binding_release(struct config_item *item)
{
	kfree(to_binding(item));
}

static struct configfs_item_operations aoetgt_binding_ops = {
	.release = aoetgt_binding_release,
};

static const struct config_item_type aoetgt_binding_type = {
	.ct_item_ops = &aoetgt_binding_ops,
	.ct_attrs = aoetgt_binding_attrs,
	.ct_owner = THIS_MODULE,
};

static struct config_item *aoetgt_binding_make(struct config_group *group, const char *name)
{
	struct aoetgt_target *t = container_of(group, struct aoetgt_target, interfaces_group);
	struct aoetgt_binding *b;

	if (!dev_valid_name(name)) {
		aoetgt_refuse(&t->disk, "interfaces", name, strlen(name),
			      "not the name of an interface", -EINVAL);
		return ERR_PTR(-EINVAL);
	}
	b = aoetgt_binding_create(t, name);
	if (IS_ERR(b))
		return ERR_CAST(b);
	config_item_init_type_name(&b->item, name, &aoetgt_binding_type);
	return &b->item;
}

static void aoetgt_binding_drop(struct config_group *group, struct config_item *item)
{
	aoetgt_binding_remove(to_binding(item));
	config_item_put(item);
}

static struct configfs_group_operations aoetgt_interfaces_ops = {
	.make_item = aoetgt_binding_make,
	.drop_item = aoetgt_binding_drop,
};

static const struct config_item_type aoetgt_interfaces_type = {
	.ct_group_ops = &aoetgt_interfaces_ops,
	.ct_owner = THIS_MODULE,
};

/* views/ */

static struct aoetgt_view *to_view(struct config_item *item)
{
	return container_of(item, struct aoetgt_view, item);
}

static struct aoetgt_disk *view_to_disk(struct config_item *item)
{
	return &to_view(item)->disk;
}

AOETGT_DISK_ATTRS(aoetgt_view_, view_to_disk);

static ssize_t aoetgt_view_enable_show(struct config_item *item, char *page)
{
	return aoetgt_show_bool(READ_ONCE(to_view(item)->enabled), page);
}

static ssize_t aoetgt_view_enable_store(struct config_item *item, const char *page, size_t count)
{
	struct aoetgt_view *v = to_view(item);
	struct aoetgt_target *t = v->disk.target;
	bool enable;
	int err;

	err = aoetgt_parse_bool(&v->disk, "enable", page, count, &enable);
	if (err)
		return err;
	mutex_lock(&t->lock);
	if (enable && !v->enabled)
		err = aoetgt_view_enable(v);
	else if (!enable)
		err = aoetgt_view_disable(v);
	mutex_unlock(&t->lock);
	return err ?: count;
}
CONFIGFS_ATTR(aoetgt_view_, enable);

static struct configfs_attribute *aoetgt_view_attrs[] = {
	&aoetgt_view_attr_device,
	&aoetgt_view_attr_offset,
	&aoetgt_view_attr_length,
	&aoetgt_view_attr_read_only,
	&aoetgt_view_attr_enable,
	&aoetgt_view_attr_size,
	&aoetgt_view_attr_state,
	NULL,
};

static void aoetgt_view_item_release(struct config_item *item)
{
	aoetgt_view_release(to_view(item));
}

static struct configfs_item_operations aoetgt_view_item_ops = {
	.release = aoetgt_view_item_release,
};

static const struct config_item_type aoetgt_view_type = {
	.ct_item_ops = &aoetgt_view_item_ops,
	.ct_attrs = aoetgt_view_attrs,
	.ct_owner = THIS_MODULE,
};

/* The name is a MAC in one spelling only, so that no client has two views. */
static bool aoetgt_parse_mac_name(const char *name, u8 *mac)
{
	char canon[3 * ETH_ALEN];

	if (!mac_pton(name, mac) || is_multicast_ether_addr(mac))
		return false;
	snprintf(canon, sizeof(canon), "%pM", mac);
	return !strcmp(name, canon);
}

static struct config_item *aoetgt_view_make(struct config_group *group, const char *name)
{
	struct aoetgt_target *t = container_of(group, struct aoetgt_target, views_group);
	struct aoetgt_view *v;
	u8 mac[ETH_ALEN];

	if (!aoetgt_parse_mac_name(name, mac)) {
		aoetgt_refuse(&t->disk, "views", name, strlen(name),
			      "not a MAC in lower case with colons", -EINVAL);
		return ERR_PTR(-EINVAL);
	}
	v = aoetgt_view_create(t, mac);
	if (!v)
		return ERR_PTR(-ENOMEM);
	config_item_init_type_name(&v->item, name, &aoetgt_view_type);
	return &v->item;
}

static void aoetgt_view_drop(struct config_group *group, struct config_item *item)
{
	aoetgt_view_withdraw(to_view(item));
	config_item_put(item);
}

static struct configfs_group_operations aoetgt_views_ops = {
	.make_item = aoetgt_view_make,
	.drop_item = aoetgt_view_drop,
};

static const struct config_item_type aoetgt_views_type = {
	.ct_group_ops = &aoetgt_views_ops,
	.ct_owner = THIS_MODULE,
};

/* targets/ */

static void aoetgt_target_item_release(struct config_item *item)
{
	aoetgt_target_release(to_target(item));
}

static struct configfs_item_operations aoetgt_target_item_ops = {
	.release = aoetgt_target_item_release,
};

static const struct config_item_type aoetgt_target_type = {
	.ct_item_ops = &aoetgt_target_item_ops,
	.ct_attrs = aoetgt_target_attrs,
	.ct_owner = THIS_MODULE,
};

/* The name is the address, in one spelling only: e7.1, as in /dev/etherd/e7.1. */
static int aoetgt_parse_address(const char *name, u16 *shelf, u8 *slot)
{
	unsigned int a, b;
	char canon[24];

	if (sscanf(name, "e%u.%u", &a, &b) != 2)
		return -EINVAL;
	snprintf(canon, sizeof(canon), "e%u.%u", a, b);
	if (strcmp(name, canon))
		return -EINVAL;
	if (a >= AOE_SHELF_ALL || a == AOE_SHELF_UNSET || b >= AOE_SLOT_ALL)
		return -ERANGE;
	*shelf = a;
	*slot = b;
	return 0;
}

static struct config_group *aoetgt_target_make(struct config_group *group, const char *name)
{
	struct aoetgt_target *t;
	u16 shelf;
	u8 slot;
	int err;

	err = aoetgt_parse_address(name, &shelf, &slot);
	if (err) {
		pr_err("target %s: %s: %pe\n", name, err == -ERANGE ?
		       "shelf is 0 to 65534 but 4095, slot 0 to 254" : "not e<shelf>.<slot>",
		       ERR_PTR(err));
		return ERR_PTR(err);
	}
	t = aoetgt_target_create(shelf, slot);
	if (!t)
		return ERR_PTR(-ENOMEM);
	config_group_init_type_name(&t->group, name, &aoetgt_target_type);
	config_group_init_type_name(&t->interfaces_group, "interfaces", &aoetgt_interfaces_type);
	configfs_add_default_group(&t->interfaces_group, &t->group);
	config_group_init_type_name(&t->views_group, "views", &aoetgt_views_type);
	configfs_add_default_group(&t->views_group, &t->group);
	config_group_init_type_name(&t->stats_group, "stats", &aoetgt_stats_type);
	configfs_add_default_group(&t->stats_group, &t->group);
	return &t->group;
}

/* Under the subsystem mutex: withdraw only, the drain is for release. */
static void aoetgt_target_drop(struct config_group *group, struct config_item *item)
{
	struct aoetgt_target *t = to_target(item);

	mutex_lock(&t->lock);
	aoetgt_target_withdraw(t);
	mutex_unlock(&t->lock);
	config_item_put(item);
}

static struct configfs_group_operations aoetgt_targets_ops = {
	.make_group = aoetgt_target_make,
	.drop_item = aoetgt_target_drop,
};

static const struct config_item_type aoetgt_targets_type = {
	.ct_group_ops = &aoetgt_targets_ops,
	.ct_owner = THIS_MODULE,
};

/* The root */

static ssize_t aoetgt_features_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "aoe11\nlba48\nflush\nfua\ntrim\nmac_mask\nreserve\nwindow\n"
			  "read_only_shared\nviews\nlarge_sectors\n%s",
			  IS_ENABLED(CONFIG_BLK_CGROUP) ? "cgroup\n" : "");
}
CONFIGFS_ATTR_RO(aoetgt_, features);

static struct configfs_attribute *aoetgt_root_attrs[] = {
	&aoetgt_attr_features,
	NULL,
};

static const struct config_item_type aoetgt_root_type = {
	.ct_attrs = aoetgt_root_attrs,
	.ct_owner = THIS_MODULE,
};

static struct config_group aoetgt_targets_group;

static struct configfs_subsystem aoetgt_subsystem = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "aoetgt",
			.ci_type = &aoetgt_root_type,
		},
	},
	.su_mutex = __MUTEX_INITIALIZER(aoetgt_subsystem.su_mutex),
};

/**
 * aoetgt_configfs_init() - show the tree to user space
 *
 * Return: 0 or -errno.
 */
int aoetgt_configfs_init(void)
{
	config_group_init(&aoetgt_subsystem.su_group);
	config_group_init_type_name(&aoetgt_targets_group, "targets", &aoetgt_targets_type);
	configfs_add_default_group(&aoetgt_targets_group, &aoetgt_subsystem.su_group);
	return configfs_register_subsystem(&aoetgt_subsystem);
}

/**
 * aoetgt_configfs_exit() - take the tree away; no targets are left in it
 */
void aoetgt_configfs_exit(void)
{
	configfs_unregister_subsystem(&aoetgt_subsystem);
}
