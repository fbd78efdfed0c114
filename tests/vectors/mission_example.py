import hashlib

from hri import CertificateAuthority, DeviceIdentityManager, KeyType, SecureElementManager, SecureElementType


# Example usage
if __name__ == "__main__":
    # Initialize secure element
    se = SecureElementManager(
        element_type=SecureElementType.ATECC608A,
        interface="i2c",
        address="0x60"
    )
    
    # Initialize certificate authority
    ca = CertificateAuthority(
        ca_key_path="ca_key.pem",
        ca_cert_path="ca_cert.pem"
    )
    
    # Initialize device identity manager
    dim = DeviceIdentityManager(
        secure_element=se,
        certificate_authority=ca,
        require_attestation=True
    )
    
    # Provision a device
    device_id = "device-001"
    identity = dim.provision_device(
        device_id=device_id,
        key_type=KeyType.ECC,
        validity_days=365
    )
    
    print(f"\nDevice Identity:")
    print(f"  Device ID: {identity.device_id}")
    print(f"  Certificate Issuer: {identity.certificate_issuer}")
    print(f"  Valid From: {identity.certificate_valid_from}")
    print(f"  Valid To: {identity.certificate_valid_to}")
    
    # Authenticate device
    challenge = hashlib.sha256(b"test_challenge").digest()
    signature = se.sign_data(challenge, "device-001")
    
    authenticated = dim.authenticate_device(
        device_id=device_id,
        certificate=identity.certificate,
        signature=signature,
        challenge=challenge
    )
    
    print(f"\nAuthentication Result: {authenticated}")
