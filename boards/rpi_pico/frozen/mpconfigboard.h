#define MICROPY_HW_BOARD_NAME "Raspberry Pi Pico with hri_device"
// The same place as on a Pico, so that files survive a change between the two images.
#define MICROPY_HW_FLASH_STORAGE_BYTES (1408 * 1024)
