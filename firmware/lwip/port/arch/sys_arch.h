/* Semaphores, mailboxes and threads of this machine, as lwIP uses them: sys_arch.cpp. */
#ifndef FRIDGECAM_LWIP_SYS_ARCH_H
#define FRIDGECAM_LWIP_SYS_ARCH_H

struct fridgecam_sem;
struct fridgecam_mbox;
typedef struct fridgecam_sem *sys_sem_t;
typedef struct fridgecam_mbox *sys_mbox_t;
typedef unsigned long sys_thread_t;
typedef int sys_prot_t;

#define sys_sem_valid(sem) (*(sem) != NULL)
#define sys_sem_set_invalid(sem) (*(sem) = NULL)
#define sys_mbox_valid(box) (*(box) != NULL)
#define sys_mbox_set_invalid(box) (*(box) = NULL)

/* Each thread waits at a semaphore of its own. */
#ifdef __cplusplus
extern "C"
#endif
sys_sem_t *thread_semaphore(void);

#endif
